"""From numpy to the arrays of the library that a function under test works on, and back."""

from typing import Any, Literal, get_args

import numpy as np

from spo_theory.allowed import among
from spo_theory.validation import check

Library = Literal["numpy", "torch", "jax", "list"]
Precision = Literal["float16", "bfloat16", "float32", "float64"]

ROUNDING: dict[str, float] = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
"""Distance from 1 to the next number, by dtype."""


def to_library(values: Any, library: str, dtype: str) -> Any:
    """``values`` as an array of ``library``: floating ones in ``dtype``, truth values and integers as they are.

    Lists are nested lists of Python numbers, rounded to ``dtype`` where numpy has it.

    Example:
        >>> to_library([0.5, 1.0], "numpy", "float32").dtype
        dtype('float32')
    """
    values = np.asarray(values)
    floating = values.dtype.kind == "f"
    if library == "torch":
        import torch

        tensor = torch.from_numpy(np.array(values))
        return tensor.to(getattr(torch, dtype)) if floating else tensor
    if library == "jax":
        import jax.numpy as jnp

        return jnp.asarray(values, dtype=dtype if floating else None)

    # numpy itself has no bfloat16
    if floating:
        check(dtype != "bfloat16", "dtype", dtype, f"float16, float32 or float64 with library {library!r}")
        values = values.astype(dtype)
    return values.tolist() if library == "list" else values


def to_numpy(array: Any) -> np.ndarray:
    """An array of any library, or nested lists, as float64.

    Example:
        >>> to_numpy([1, 2]).tolist()
        [1.0, 2.0]
    """
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        array = array.double().numpy()
    return np.asarray(array).astype(np.float64)


def dtype_name(array: Any) -> str:
    """The dtype of an array of any library, such as ``float32``; lists have float64.

    Example:
        >>> dtype_name(np.zeros(2, dtype=np.float32)), dtype_name([0.0])
        ('float32', 'float64')
    """
    return str(array.dtype).rpartition(".")[2] if hasattr(array, "dtype") else "float64"


def rounded(values: np.ndarray, library: str, dtype: str) -> np.ndarray:
    """``values`` as the function under test sees them: rounded to ``dtype``, given back as float64.

    Example:
        >>> float(rounded(np.array(0.1), "numpy", "float32")) == 0.1
        False
    """
    return to_numpy(to_library(values, library, dtype))


def check_setting(library: str, dtype: str) -> None:
    """Raise `InputError` for a library or a dtype that is not known.

    Example:
        >>> check_setting("cupy", "float32")
        Traceback (most recent call last):
        spo_theory.validation.InputError: library = 'cupy' is not allowed: library must be numpy or torch or jax or list
    """
    check(library in get_args(Library), "library", library, " or ".join(get_args(Library)))
    among(ROUNDING).check("dtype", dtype)
