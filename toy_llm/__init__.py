"""A tiny transformer trained with real GRPO and colouring on chained arithmetic."""

from toy_llm.training.loop import TrainConfig, train

__all__ = ["TrainConfig", "train"]
