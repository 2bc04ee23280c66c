"""A function of judged groups under test, called whatever its library."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spo_theory.conformance.arrays import ROUNDING, check_setting, dtype_name, to_library, to_numpy
from spo_theory.conformance.core import Unusable
from spo_theory.validation import check


@dataclass
class ArraySubject:
    """A function of arrays, called as ``subject(arrays)``; it is given as many of them as it must be given.

    dtype: of the floating arrays and, if it gives back another, of its answer.
    """

    function: Callable[..., Any]
    name: str = "function"
    library: str = "numpy"
    dtype: str = "float32"
    output: str = field(default="", init=False)

    def __post_init__(self) -> None:
        check(callable(self.function), "function", self.function, "callable")
        check_setting(self.library, self.dtype)

    @property
    def rounding(self) -> float:
        """Distance from 1 to the next number, of its answers or of its dtype, whichever is coarser."""
        return max(ROUNDING[self.dtype], ROUNDING.get(self.output, 0.0))

    @property
    def taken(self) -> int:
        """Number of arguments that must be given, at least 1."""
        try:
            parameters = inspect.signature(self.function).parameters.values()
        except (TypeError, ValueError):
            return 9
        return max(sum(one.default is inspect.Parameter.empty and one.kind <= 1 for one in parameters), 1)

    def __call__(self, *arrays: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """What the function gives back, in float64; raises `Unusable` if it raises or has another ``shape``."""
        given = [to_library(array, self.library, self.dtype) for array in arrays[: self.taken]]
        try:
            with np.errstate(all="ignore"):
                answer = self.function(*given)
        except Exception as error:
            said = str(error).splitlines()[0] if str(error) else ""
            raise Unusable(f"raises {type(error).__name__}: {said}") from error
        answer = answer[0] if isinstance(answer, tuple) else answer
        try:
            result = to_numpy(answer)
        except (TypeError, ValueError) as error:
            raise Unusable(f"returns {type(answer).__name__}, which is no array of numbers") from error
        if result.shape != shape:
            raise Unusable(f"returns shape {result.shape} and not {shape}")
        self.output = dtype_name(answer)
        return result

    def snippet(self, **arrays: np.ndarray) -> str:
        """A call of the function, as Python that can be pasted."""
        module, _, attribute = self.name.partition(":")
        prepare = {"numpy": "import numpy as np", "torch": "import torch", "jax": "import jax.numpy as jnp"}
        lines = [prepare[self.library]] if self.library in prepare else []
        if attribute and "<" not in attribute:
            lines.append(f"from {Path(module).name.removesuffix('.py')} import {attribute.split('.')[0]}")
        written = {"numpy": "np.array({})", "torch": "torch.tensor({})", "jax": "jnp.array({})", "list": "{}"}
        for name, array in list(arrays.items())[: self.taken]:
            lines.append(f"{name} = {written[self.library].format(array.tolist())}")
        lines.append(f"print({attribute or module}({', '.join(list(arrays)[: self.taken])}))")
        return "\n".join(lines)
