"""Losses: from log-probabilities and advantages to one number whose gradient trains the policy."""
