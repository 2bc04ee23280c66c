"""Forecasts of the network's training by the theory, and their comparison with what is measured."""
