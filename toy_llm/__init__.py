"""A tiny transformer trained with real GRPO and colouring on chained arithmetic.

Names are imported on first use, so that the light modules do not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toy_llm.training.loop import TrainConfig, train

_HOME = {"TrainConfig": "training.loop", "train": "training.loop"}
__all__ = ["TrainConfig", "train"]


def __getattr__(name: str) -> Any:
    """Import ``name`` from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'toy_llm' has no attribute {name!r}")
    return getattr(import_module(f"toy_llm.{_HOME[name]}"), name)
