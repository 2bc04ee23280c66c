"""Exact expectations over sampled groups: enumeration and quadrature."""
