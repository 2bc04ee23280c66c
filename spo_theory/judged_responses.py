"""What callers of a rule must hand in: judged responses as arrays of one library, with shapes and values that fit."""

from typing import Any

from array_api_compat import array_namespace, is_array_api_obj, is_jax_array

from spo_theory.group import Array
from spo_theory.validation import check, problem, refuse


def has_values(*arrays: Array) -> bool:
    """Whether arrays hold numbers that can be looked at: while jax is tracing they do not.

    >>> import numpy as np
    >>> has_values(np.zeros(2))
    True
    """
    if not any(map(is_jax_array, arrays)):
        return True
    import jax

    return not any(isinstance(array, jax.core.Tracer) for array in arrays)


def check_responses(correct: Array, first_error: Array, lengths: Array, valid: Array | None) -> None:
    """Raise `InputError` unless the arrays are judged responses, as `spo_theory.group.Group` describes them.

    Shapes and kinds are always checked, values wherever there are some.
    """
    given: dict[str, Array] = {"correct": correct, "first_error": first_error, "lengths": lengths}
    if valid is not None:
        given["valid"] = valid
    refuse(
        line
        for name, array in given.items()
        for line in problem(is_array_api_obj(array), name, array, "an array of numpy, jax, torch or their like")
    )
    xp = _one_library(given)

    # Kinds: a whole number is no truth value, and the place of an error is a whole number
    kinds = {"correct": "bool", "valid": "bool", "first_error": "integral", "lengths": "numeric"}
    refuse(
        line
        for name, array in given.items()
        for line in problem(xp.isdtype(array.dtype, kinds[name]), f"{name}.dtype", str(array.dtype), kinds[name])
    )

    # Shapes: all responses of a group in the last axis, and behind it perhaps their steps
    shape = tuple(correct.shape)
    check(len(shape) >= 1 and shape[-1] >= 1, "correct.shape", shape, "(..., G) with G at least 1")
    per_step = lengths.ndim == len(shape) + 1
    fits = {
        "first_error": tuple(first_error.shape) == shape,
        "lengths": tuple(lengths.shape)[: lengths.ndim - per_step] == shape,
    }
    if valid is not None:
        fits["valid"] = tuple(valid.shape) == shape
    refuse(
        line
        for name, ok in fits.items()
        for line in problem(ok, f"{name}.shape", tuple(given[name].shape), f"{shape}, like correct")
    )
    if has_values(*given.values()):
        _check_places(xp, first_error, lengths, valid, per_step)


def _one_library(given: dict[str, Array]) -> Any:
    """The array library that all arrays are of; raises `InputError` if there are several."""
    try:
        return array_namespace(*given.values())
    except TypeError:
        kinds = ", ".join(type(array).__module__.partition(".")[0] for array in given.values())
        refuse([f"{', '.join(given)} = arrays of {kinds} are not allowed: they must be of one library"])


def _check_places(xp: Any, first_error: Array, lengths: Array, valid: Array | None, per_step: bool) -> None:
    """Refuse lengths below 0, and first errors before the first step or behind the last one of a response."""
    bad = lengths < 0 if xp.isdtype(lengths.dtype, "integral") else ~(xp.isfinite(lengths) & (lengths >= 0))
    _refuse_where(bad, "lengths", lengths, "finite numbers, at least 0")

    # Responses that do not count may hold anything
    most = lengths.shape[-1] if per_step else lengths
    compared = xp.astype(first_error, lengths.dtype) if xp.isdtype(lengths.dtype, "real floating") else first_error
    outside = (compared < 0) | (compared > most)
    if valid is not None:
        outside = outside & valid
    _refuse_where(outside, "first_error", first_error, "from 0 to the number of steps")


def check_confidence(confidence: Array, correct: Array) -> None:
    """Raise `InputError` unless ``confidence`` holds a probability below 1 for every response of ``correct``."""
    check(is_array_api_obj(confidence), "confidence", confidence, "an array of numpy, jax, torch or their like")
    shape = tuple(confidence.shape)
    check(shape == tuple(correct.shape), "confidence.shape", shape, f"{tuple(correct.shape)}, like correct")
    if has_values(confidence):
        outside = ~((confidence >= 0) & (confidence < 1))
        allowed = "probabilities below 1: a response of probability 1 has infinite odds"
        _refuse_where(outside, "confidence", confidence, allowed)


def _refuse_where(bad: Array, name: str, array: Array, allowed: str) -> None:
    """Raise `InputError` with the numbers of ``array`` that are ``bad``, if there are any."""
    if bool(array_namespace(bad).any(bad)):
        picked = array[bad]
        check(False, name, picked.tolist() if hasattr(picked, "tolist") else str(picked), allowed)
