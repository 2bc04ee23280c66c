"""The policies that are trained."""
