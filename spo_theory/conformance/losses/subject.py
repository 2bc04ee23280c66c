"""A loss function under test, called with tokens whatever its library; its gradient comes from autograd."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spo_theory.conformance.arrays import check_setting, dtype_name, rounded, to_library, to_numpy
from spo_theory.conformance.core import Unusable
from spo_theory.conformance.losses.tokens import Tokens
from spo_theory.validation import check

ORDER = ("log_prob", "old", "advantages", "mask", "reference")
"""In which order a loss is given its arguments, if its parameters have other names."""

STEP = 1e-5
"""Of central differences, for libraries without autograd, nats."""


def role_of(parameter: str) -> str:
    """What a parameter of a loss is, by its name; "" if the name does not say.

    Example:
        >>> [role_of(name) for name in ("old_log_prob", "log_probs", "response_mask", "ref_logps", "adv", "config")]
        ['old', 'log_prob', 'mask', 'reference', 'advantages', '']
    """
    name = parameter.lower()
    if "mask" in name:
        return "mask"
    if name.startswith("adv"):
        return "advantages"
    if name.startswith("ref"):
        return "reference"
    if name.startswith(("old", "behavior", "sampling", "rollout")):
        return "old"
    return "log_prob" if "log" in name or name in ("new", "current") else ""


@dataclass
class LossSubject:
    """A loss ``f(log_prob, old_log_prob, advantages, mask[, reference_log_prob])``, called as ``subject(tokens)``.

    All arguments are ``(B, T)``, but advantages, which are ``(B,)``, or ``(B, T)`` where it does not take that.
    Parameters are recognized by their names (see `role_of`), else given in that order. A tuple is read as its first
    member.
    """

    function: Callable[..., Any]
    name: str = "function"
    library: str = "torch"
    dtype: str = "float32"
    per_token: bool = field(default=False, init=False)
    output: str = field(default="", init=False)

    def __post_init__(self) -> None:
        check(callable(self.function), "function", self.function, "callable")
        check_setting(self.library, self.dtype)
        if self.library in ("numpy", "list"):
            self.dtype = "float64"  # differences need it

    @property
    def roles(self) -> dict[str, str]:
        """For each argument that the function takes, the name of its parameter; "" for one given by its place."""
        try:
            parameters = inspect.signature(self.function).parameters
        except (TypeError, ValueError):
            return dict.fromkeys(ORDER[:4], "")
        by_role: dict[str, str] = {}
        for name in parameters:
            by_role.setdefault(role_of(name), name)
        if {"log_prob", "old", "advantages", "mask"} <= set(by_role):
            return {role: by_role[role] for role in ORDER if role in by_role}
        required = [one for one in parameters.values() if one.default is inspect.Parameter.empty]
        return dict.fromkeys(ORDER[: max(min(len(required), 5), 4)], "")

    @property
    def takes_reference(self) -> bool:
        """Whether it is given the log-probabilities of a reference policy."""
        return "reference" in self.roles

    def seen(self, tokens: Tokens) -> Tokens:
        """The tokens as the function sees them, in its dtype."""
        return Tokens(
            *(
                values if name == "mask" else rounded(values, self.library, self.dtype)
                for name, values in zip(ORDER, (getattr(tokens, name) for name in ORDER), strict=True)
            )
        )

    def settle(self) -> None:
        """Find out whether advantages must be given for every token."""
        tokens = Tokens(
            np.full((3, 2), -1.0), np.full((3, 2), -1.0), np.ones(3), np.ones((3, 2), bool), np.full((3, 2), -1.0)
        )
        try:
            self.value(tokens)
        except Unusable:
            self.per_token = True

    def __call__(self, tokens: Tokens) -> tuple[float, np.ndarray]:
        """The loss and its gradient in the log-probabilities ``(B, T)``; raises `Unusable`."""
        if self.library == "torch":
            return self._by_torch(tokens)
        if self.library == "jax":
            return self._by_jax(tokens)
        return self.value(tokens), self._by_differences(tokens)

    def value(self, tokens: Tokens) -> float:
        """The loss alone; raises `Unusable`."""
        return float(to_numpy(self._loss(tokens, to_library(tokens.log_prob, self.library, self.dtype))))

    def _loss(self, tokens: Tokens, log_prob: Any) -> Any:
        """What the function gives back, as one number of its library; ``log_prob`` replaces that of the tokens."""
        values: dict[str, Any] = {role: getattr(tokens, role) for role in ORDER}
        if self.per_token:
            values["advantages"] = np.repeat(tokens.advantages[:, None], tokens.mask.shape[1], 1)
        given = {role: to_library(values[role], self.library, self.dtype) for role in self.roles}
        given["log_prob"] = log_prob
        named = {name: given[role] for role, name in self.roles.items() if name}
        placed = [given[role] for role, name in self.roles.items() if not name]
        try:
            with np.errstate(all="ignore"):
                answer = self.function(*placed, **named)
        except Exception as error:
            said = str(error).splitlines()[0] if str(error) else ""
            raise Unusable(f"raises {type(error).__name__}: {said}") from error
        answer = answer[0] if isinstance(answer, tuple) else answer
        shape = tuple(getattr(answer, "shape", ()))
        if shape != ():
            raise Unusable(f"returns shape {shape}, not one number")
        self.output = dtype_name(answer)
        return answer

    def _by_torch(self, tokens: Tokens) -> tuple[float, np.ndarray]:
        """Value and gradient by torch's autograd."""
        import torch

        log_prob = to_library(tokens.log_prob, "torch", self.dtype).requires_grad_(True)
        loss = self._loss(tokens, log_prob)
        if not loss.requires_grad:
            return float(loss), np.zeros(tokens.mask.shape)
        [gradient] = torch.autograd.grad(loss, [log_prob], allow_unused=True)
        return float(loss.detach()), np.zeros(tokens.mask.shape) if gradient is None else to_numpy(gradient)

    def _by_jax(self, tokens: Tokens) -> tuple[float, np.ndarray]:
        """Value and gradient by jax."""
        import jax

        log_prob = to_library(tokens.log_prob, "jax", self.dtype)
        value, gradient = jax.value_and_grad(lambda x: self._loss(tokens, x))(log_prob)
        return float(value), to_numpy(gradient)

    def _by_differences(self, tokens: Tokens) -> np.ndarray:
        """Gradient by central differences."""
        gradient = np.zeros(tokens.mask.shape)
        for place in np.ndindex(*gradient.shape):
            sides = []
            for step in (STEP, -STEP):
                moved = tokens.log_prob.copy()
                moved[place] += step
                sides.append(float(to_numpy(self._loss(tokens, to_library(moved, self.library, self.dtype)))))
            gradient[place] = (sides[0] - sides[1]) / (2 * STEP)
        return gradient

    def snippet(self, tokens: Tokens) -> str:
        """A call of the function, as Python that can be pasted; with torch it prints the gradient too."""
        module, _, attribute = self.name.partition(":")
        lines = {
            "torch": ["import torch"],
            "jax": ["import jax, jax.numpy as jnp"],
            "numpy": ["import numpy as np"],
        }.get(self.library, [])
        if attribute and "<" not in attribute:
            lines.append(f"from {Path(module).name.removesuffix('.py')} import {attribute.split('.')[0]}")
        words = []
        for role, parameter in self.roles.items():
            values = getattr(tokens, role)
            if role == "advantages" and self.per_token:
                values = np.repeat(values[:, None], tokens.mask.shape[1], 1)
            lines.append(f"{role} = {self._text(values, role)}")
            words.append(f"{parameter}={role}" if parameter else role)
        lines.append(f"loss = {attribute or module}({', '.join(words)})")
        if self.library == "torch":
            lines.append("print(loss, torch.autograd.grad(loss, [log_prob])[0])")
        else:
            lines.append("print(loss)")
        return "\n".join(lines)

    def _text(self, values: np.ndarray, role: str) -> str:
        """An array of the library, written out."""
        written = repr(np.round(values, 8).tolist() if values.dtype.kind == "f" else values.tolist())
        if self.library == "torch":
            graded = ", requires_grad=True" if role == "log_prob" else ""
            return f"torch.tensor({written}{graded})"
        return {"jax": f"jnp.array({written})", "numpy": f"np.array({written})"}.get(self.library, written)
