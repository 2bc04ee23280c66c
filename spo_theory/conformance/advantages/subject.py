"""The function under test, called with rewards of groups whatever its library and its layout are."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from spo_theory.conformance.arrays import check_setting, dtype_name, rounded, to_library, to_numpy
from spo_theory.conformance.core import Unusable
from spo_theory.validation import check, is_whole

Layout = Literal["grouped", "flat", "uids", "tokens"]
MASKS = ("valid", "mask", "response_mask")
"""Names of parameters that are taken for the mask of the responses that count."""

TOKENS = ("token_level_rewards", "response_mask", "index")
"""Names of what a function of layout ``tokens`` is given; it is given them by place if it has other names for them."""

SIZES = ("group_size", "num_generations", "n_samples", "num_samples", "n", "G", "size")
"""Names of parameters that are taken for the number of responses in a group."""


@dataclass
class Subject:
    """A function from rewards to advantages, called as ``subject(rewards, valid)`` on float64 arrays ``(Q, G)``.

    function: takes rewards in its ``layout``: ``grouped`` ``(Q, G)``; ``flat`` ``(Q G,)``, groups one after the other,
    and the group size where it has a parameter for it; ``uids`` ``(N,)`` and the group of each response ``(N,)``;
    ``tokens`` the same as verl has it: rewards and mask ``(N, T)``, one token here, and the group of each response.
    A tuple is read as its first member. name: where it was imported from, ``module:function``.
    mask: name of its parameter for the responses that count, "" for none; None: looked for among `MASKS`.
    group_size: the only group size that it can do; None: any.
    """

    function: Callable[..., Any]
    name: str = "function"
    layout: Layout = "grouped"
    library: str = "numpy"
    dtype: str = "float32"
    mask: str | None = None
    group_size: int | None = None
    output: str = field(default="", init=False)
    uids_as: str = field(default="words", init=False)

    def __post_init__(self) -> None:
        check(callable(self.function), "function", self.function, "callable")
        check(self.layout in get_args(Layout), "layout", self.layout, " or ".join(get_args(Layout)))
        check_setting(self.library, self.dtype)
        least = self.group_size is None or is_whole(self.group_size, 2)
        check(least, "group_size", self.group_size, "a whole number, at least 2, or None")
        if self.mask is None:
            found = next((name for name in MASKS if name in self.parameters), "")
            self.mask = "" if self.layout == "tokens" else found
        known = self.mask in ("", "nan") or self.mask in self.parameters or "kwargs" in self.parameters
        check(known, "mask", self.mask, f"a parameter of the function: {', '.join(self.parameters)}")

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Parameters of the function by name; none where Python cannot tell."""
        try:
            return dict(inspect.signature(self.function).parameters)
        except (TypeError, ValueError):
            return {}

    @property
    def takes_masks(self) -> bool:
        """Whether responses can be left out: by a mask, or, where groups have ids, by leaving out their rows."""
        return bool(self.mask) or self.has_ids

    @property
    def has_ids(self) -> bool:
        """Whether it is told the group of each response."""
        return self.layout in ("uids", "tokens")

    def rounded(self, rewards: np.ndarray) -> np.ndarray:
        """Rewards as the function sees them, in its dtype."""
        return rounded(rewards, self.library, self.dtype)

    def __call__(
        self, rewards: np.ndarray, valid: np.ndarray | None = None, order: np.ndarray | None = None
    ) -> np.ndarray:
        """Advantages ``(Q, G)`` in float64, 0 for responses left out.

        rewards: ``(Q, G)``. valid: boolean ``(Q, G)``; None: all count. order: in which order the responses are handed
        over, a permutation of Q G numbers; only for layout ``uids``.
        Raises `Unusable` if the function raises, or gives back anything but one number a response.
        """
        rewards = np.asarray(rewards, dtype=float)
        shape = rewards.shape
        if valid is not None and self.mask == "nan":
            rewards = np.where(valid, rewards, np.nan)

        # With ids the rows of a response that does not count are left out, like a trainer does that dropped it
        if self.has_ids:
            keep = np.arange(rewards.size) if order is None else np.asarray(order)
            if valid is not None and not self.mask:
                keep = keep[valid.ravel()[keep]]
            result = np.zeros(rewards.size)
            result[keep] = self._run(self._with_uids(rewards, valid, keep), (len(keep),))
            return result.reshape(shape)

        flat = self.layout == "flat"
        given = rewards.ravel() if flat else rewards
        named = self._masked(valid, (lambda mask: mask.ravel()) if flat else (lambda mask: mask))
        arguments = [to_library(given, self.library, self.dtype)]
        if flat:
            named |= self._size(shape[-1])
            if not any(name in named for name in SIZES) and len(self._required()) > 1:
                arguments.append(shape[-1])
        return self._run((arguments, named), given.shape).reshape(shape)

    def _required(self) -> list[str]:
        """Names of the parameters that must be given by position."""
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return [
            name
            for name, parameter in self.parameters.items()
            if parameter.default is inspect.Parameter.empty and parameter.kind in positional and name != self.mask
        ]

    def _size(self, size: int) -> dict[str, int]:
        """The group size by the name that the function has for it, if it has one."""
        name = next((name for name in SIZES if name in list(self.parameters)[1:]), "")
        return {name: size} if name else {}

    def _masked(self, valid: np.ndarray | None, shaped: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
        """The mask by the name that the function has for it; nothing where all responses count."""
        if valid is None or self.mask in ("", "nan", None):
            return {}
        return {self.mask: to_library(shaped(valid), self.library, self.dtype)}

    def _with_uids(
        self, rewards: np.ndarray, valid: np.ndarray | None, keep: np.ndarray
    ) -> tuple[list[Any], dict[str, Any]]:
        """Arguments of a function that is told the group of each response; ``keep``: the rows handed over, in order."""
        group = np.repeat(np.arange(len(rewards)), rewards.shape[-1])[keep]
        uids: Any = group
        if self.uids_as == "words":
            uids = np.array([f"question-{number}" for number in group], dtype=object)
        elif self.library != "numpy":
            uids = to_library(group, self.library, self.dtype)
        if self.library == "list":
            uids = list(uids)
        if self.layout == "tokens":
            one_token = to_library(rewards.ravel()[keep][:, None], self.library, self.dtype)
            counted = to_library(np.ones((len(keep), 1)), self.library, self.dtype)
            arrays = [one_token, counted, uids]
            by_name = all(name in self.parameters for name in TOKENS)
            return ([], dict(zip(TOKENS, arrays, strict=True))) if by_name else (arrays, {})
        given = to_library(rewards.ravel()[keep], self.library, self.dtype)
        return [given, uids], self._masked(valid, lambda mask: mask.ravel()[keep])

    def _run(self, call: tuple[list[Any], dict[str, Any]], shape: tuple[int, ...]) -> np.ndarray:
        """Call the function and read its answer, which must have ``shape``; raises `Unusable`."""
        arguments, named = call
        try:
            with np.errstate(all="ignore"):
                answer = self.function(*arguments, **named)
        except Exception as error:
            raise Unusable(
                f"raises {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            ) from error
        if isinstance(answer, tuple):
            answer = answer[0]
        try:
            result = to_numpy(answer)
        except (TypeError, ValueError) as error:
            raise Unusable(f"returns {type(answer).__name__}, which is no array of numbers") from error
        if self.layout == "tokens" and result.shape == (*shape, 1):
            result = result[:, 0]
        if result.shape != shape:
            raise Unusable(f"returns shape {result.shape} for rewards of shape {shape}")
        self.output = dtype_name(answer)
        return result

    def settle(self) -> None:
        """Find out how the function wants the ids of groups: texts if it takes them, else integers of its library."""
        if not self.has_ids:
            return
        try:
            self(np.array([[1.0, 0.0], [0.0, 1.0]]))
        except Unusable:
            self.uids_as = "numbers"

    def snippet(self, rewards: np.ndarray, valid: np.ndarray | None) -> str:
        """A call of the function on one batch, as Python that can be pasted."""
        module, _, attribute = self.name.partition(":")
        function = attribute or module
        prepare = {"numpy": "import numpy as np", "torch": "import torch", "jax": "import jax.numpy as jnp"}
        lines = [prepare[self.library]] if self.library in prepare else []
        if attribute and "<" not in attribute:
            root = attribute.split(".")[0]
            lines.append(f"from {Path(module).name.removesuffix('.py')} import {root}")

        # The same arrays as in `__call__`, written out
        values = rewards if self.layout == "grouped" else rewards.ravel()
        extra = ""
        if self.has_ids:
            group = np.repeat(np.arange(len(rewards)), rewards.shape[-1])
            if valid is not None and not self.mask:
                values, group = values[valid.ravel()], group[valid.ravel()]
                valid = None
            extra = f", {self._uids_text(group)}"
            if self.layout == "tokens":
                values = values[:, None]
                extra = f", {self._text(np.ones((len(group), 1)).tolist(), self.dtype)}{extra}"
        elif self.layout == "flat" and (self._size(2) or len(self._required()) > 1):
            extra = f", {rewards.shape[-1]}"
        if valid is not None and self.mask == "nan":
            values = np.where(valid if self.layout == "grouped" else valid.ravel(), values, np.nan)
        elif valid is not None and self.mask:
            kept = valid if self.layout == "grouped" else valid.ravel()
            extra += f", {self.mask}={self._text(kept.tolist(), '')}"
        lines.append(f"print({function}({self._text(_plain(values), self.dtype)}{extra}))")
        return "\n".join(lines)

    def _uids_text(self, group: np.ndarray) -> str:
        """The ids of groups, written out as they were handed over."""
        if self.uids_as == "words":
            words = [f"question-{number}" for number in group]
            return f"{words}" if self.library == "list" else f"__import__('numpy').array({words}, dtype=object)"
        return self._text(group.tolist(), "")

    def _text(self, values: Any, dtype: str) -> str:
        """An array of the library, written out."""
        written = repr(values).replace("nan", "float('nan')")
        if self.library == "list":
            return written
        if self.library == "torch":
            return f"torch.tensor({written}{', dtype=torch.' + dtype if dtype else ''})"
        namespace = {"numpy": "np", "jax": "jnp"}[self.library]
        return f"{namespace}.array({written}{', dtype=' + namespace + '.' + dtype if dtype else ''})"


def _plain(values: np.ndarray) -> Any:
    """Nested lists of numbers written as short as float32 allows, but exact."""
    if values.ndim:
        return [_plain(row) for row in values]
    number = float(values)
    single = float(np.format_float_positional(np.float32(number), unique=True))
    return single if np.float32(single) == np.float32(number) and np.float32(number) == number else number
