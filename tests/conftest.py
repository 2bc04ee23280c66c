"""Strict numerics for every test: float64 on jax, one torch thread, no display, named hypothesis profiles."""

import os

import hypothesis
import jax
import matplotlib
import torch

jax.config.update("jax_enable_x64", True)
torch.set_num_threads(1)
matplotlib.use("Agg")

for name, examples in (("dev", 25), ("ci", 60), ("thorough", 1000), ("nightly", 5000)):
    hypothesis.settings.register_profile(
        name,
        max_examples=examples,
        deadline=None,
        derandomize=name == "ci",
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
