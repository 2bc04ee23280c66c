"""A tiny transformer trained with real GRPO and colouring on chained arithmetic.

Names are imported on first use, so that writing a file (`toy_llm.files`) does not load torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toy_llm.training.loop import TrainConfig, train

__all__ = ["TrainConfig", "train"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in __all__:
        raise AttributeError(f"module 'toy_llm' has no attribute {name!r}")
    from toy_llm.training import loop

    return getattr(loop, name)
