"""A tiny transformer trained with real GRPO and colouring on chained arithmetic."""
