"""A tiny transformer trained with real GRPO and colouring on chained arithmetic."""

from toy_llm.train import TrainConfig, train

__all__ = ["TrainConfig", "train"]
