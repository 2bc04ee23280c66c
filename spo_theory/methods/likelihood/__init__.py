"""Weighted log-likelihood: sampled responses are imitated, nothing is pushed down."""
