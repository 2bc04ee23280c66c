"""Warm starts: supervised learning before the policy gradient."""
