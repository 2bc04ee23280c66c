"""Small untrained networks, and what it means that a sampled gradient agrees with the exact one."""

import torch

from toy_llm.network.transformer import Transformer
from toy_llm.network.transformer_policy import TransformerPolicy


def network(task, seed=0):
    """One layer of width 8 for a task, untrained."""
    torch.manual_seed(seed)
    model = Transformer(task.vocabulary, task.prompt_length + task.response_length, layers=1, width=8, heads=2)
    return TransformerPolicy(model, task)


def agrees(check):
    """Every z-score of a `GradientCheck` is as small as chance allows, and no gradient is too long; its summary."""
    found = check.summary()
    assert found["z_largest"] < found["z_limit"]
    assert abs(found["ratio"] - 1) < 4 * found["ratio_error"]
    return found
