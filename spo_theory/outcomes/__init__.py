"""Stylized worlds: what a response can come to, with which probability and which score."""
