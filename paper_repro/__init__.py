"""Experiments, the claim-by-claim reproduction, the report and the command line."""
