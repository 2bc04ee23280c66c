"""A judged group of responses: all that an update rule may look at."""

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

Array = Any


def float_dtype(xp: Any, *arrays: Array) -> Any:
    """Return the floating dtype of the first floating array, else the library's default real dtype.

    ``xp``: the array library as an array API namespace. ``arrays``: of any dtypes and shapes.

    Example:
        >>> import numpy as np
        >>> float_dtype(np, np.array([1, 2]), np.array([0.5], dtype=np.float32))
        dtype('float32')
    """
    for array in arrays:
        if xp.isdtype(array.dtype, "real floating"):
            return array.dtype
    return xp.asarray(0.0).dtype


@dataclass(frozen=True)
class Group:
    """G sampled responses to each of any number of questions, and what a judge said of them.

    Arrays of numpy, jax, torch or any other library of the array API; the leading axes ``...`` count questions.

    correct: boolean ``(..., G)``, the outcome.
    first_error: integer ``(..., G)``, right steps before the first wrong one, as the step judge said; the number of
        steps if there is none.
    lengths: length of every step ``(..., G, S)``, 0 for steps that were not written; or the number of equally long
        steps ``(..., G)``, which is enough for rewards and advantages.
    true_lengths: length of every step of the right response, broadcastable to ``(..., G, S)``; None: as written.
    log_prob: ``(..., G, S)``, nats, of every step under the policy that sampled it; 0 for steps not written. Only some
        parts need it.
    valid: boolean ``(..., G)``, False for responses that must not count.
    learnt: boolean ``(..., G, S)``, False for steps that a hint gives and for those behind the steps asked for, from
        which nothing is learnt; None: all are.
    taught: boolean ``(..., G)``, True for responses that are the reference solution and were not sampled; None: none.
    reference_log_prob: as ``log_prob``, under the reference policy of objectives that have one; None: the policy that
        sampled is the reference.
    dtype: floating type of rewards and advantages; None: that of ``lengths``, or the library's default.

    Example:
        >>> import numpy as np
        >>> group = Group(np.array([True, False]), np.array([3, 1]), np.array([3, 3]))
        >>> group.counted_correct.tolist()
        [True, False]
    """

    correct: Array
    first_error: Array
    lengths: Array
    true_lengths: Array | None = None
    log_prob: Array | None = None
    valid: Array | None = None
    dtype: Any = None
    learnt: Array | None = None
    taught: Array | None = None
    reference_log_prob: Array | None = None

    @property
    def xp(self) -> Any:
        """The array library of this group, as an array API namespace."""
        return array_namespace(self.correct, self.first_error, self.lengths)

    @property
    def floating(self) -> Any:
        """Floating type of rewards and advantages."""
        return self.dtype or float_dtype(self.xp, self.lengths)

    @property
    def steps(self) -> int:
        """Number of steps, S, that the arrays have room for."""
        return int(self.lengths.shape[-1])

    @property
    def counted_correct(self) -> Array:
        """Boolean ``(..., G)``: correct responses among those that count."""
        return self.correct if self.valid is None else self.correct & self.valid

    @property
    def all_negative(self) -> Array:
        """Boolean ``(..., 1)``: no response that counts is correct."""
        return ~self.xp.any(self.counted_correct, axis=-1, keepdims=True)
