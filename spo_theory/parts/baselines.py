"""Group-relative advantages on any array library, exact zero for equal rewards in every dtype."""

from dataclasses import dataclass, replace
from math import inf, isfinite, nan
from typing import Any, Literal, get_args

from array_api_compat import array_namespace, is_jax_array

from spo_theory.parts.rewards import float_dtype
from spo_theory.validation import InputError, check, problem, refuse

Array = Any
Scale = Literal["std", "none"]
Baseline = Literal["mean", "virtual", "half"]


def _is_traced(x: Array) -> bool:
    """Whether ``x`` has no values yet because jax is tracing (then values cannot be checked)."""
    if not is_jax_array(x):
        return False
    import jax

    return isinstance(x, jax.core.Tracer)


@dataclass(frozen=True)
class GroupAdvantage:
    """``(r - mean) / (std + eps)`` over the group, or ``r - mean`` if ``scale`` is ``none``.

    ddof: 0 (population) or 1 (sample). eps: added to the standard deviation, >= 0. A group of equal rewards
    has advantage exactly 0. Source: GRPO, arXiv 2402.03300; mean only: Dr. GRPO, arXiv 2503.20783.

    baseline: ``mean`` as above; ``virtual``: one more response of reward 1 counts in the mean and the std, so wrong
    responses are pushed down in a group without a correct one (NGRPO, arXiv 2509.18851); ``half``: ``2 r - 1``
    whatever the group is (the sign advantage, arXiv 2605.07689).
    """

    ddof: int = 0
    eps: float = 0.0
    scale: Scale = "std"
    baseline: Baseline = "mean"

    def __post_init__(self) -> None:
        refuse(
            problem(self.ddof in (0, 1), "ddof", self.ddof, "0 or 1")
            + problem(isfinite(self.eps) and self.eps >= 0, "std_eps", self.eps, "a finite number, at least 0")
            + problem(self.scale in get_args(Scale), "scale", self.scale, " or ".join(get_args(Scale)))
            + problem(self.baseline in get_args(Baseline), "baseline", self.baseline, " or ".join(get_args(Baseline)))
        )

    def __call__(self, rewards: Array, valid: Array | None = None) -> Array:
        """Advantages of ``rewards`` ``(..., G)``, same shape; the last axis is the group.

        ``valid``: boolean ``(..., G)``; ignored responses get 0 and influence nothing. Integer rewards are
        taken as the library's real dtype. Raises `InputError` for NaN or infinite rewards and for rewards that
        span more than a quarter of the dtype's largest number; where jax is tracing, NaN rewards give NaN advantages
        instead. Rewards are first mapped to [0, 1] by the group's minimum and range: equal rewards then
        cancel exactly, and neither large offsets nor tiny differences lose precision.
        """
        xp = array_namespace(rewards)
        r = xp.astype(rewards, float_dtype(xp, rewards))
        if valid is not None:
            r = xp.where(valid, r, xp.zeros_like(r))
        if not _is_traced(r):
            for bad, found in ((nan, xp.isnan(r)), (inf, r == inf), (-inf, r == -inf)):
                check(not bool(xp.any(found)), "rewards", bad, "finite numbers")
        if self.baseline == "half":
            signed = 2 * r - 1
            return signed if valid is None else xp.where(valid, signed, xp.zeros_like(signed))
        if self.baseline == "virtual":
            one_more = xp.ones_like(r[..., :1])
            seen = None if valid is None else xp.concat([valid, xp.astype(one_more, valid.dtype)], axis=-1)
            return replace(self, baseline="mean")(xp.concat([r, one_more], axis=-1), seen)[..., :-1]
        if valid is None:
            low, high = xp.min(r, axis=-1, keepdims=True), xp.max(r, axis=-1, keepdims=True)
            n: Any = r.shape[-1]
            freedom: Any = max(n - self.ddof, 1)
        else:
            top = xp.full_like(r, inf)
            low = xp.min(xp.where(valid, r, top), axis=-1, keepdims=True)
            high = xp.max(xp.where(valid, r, -top), axis=-1, keepdims=True)
            count = xp.sum(xp.astype(valid, r.dtype), axis=-1, keepdims=True)
            one = xp.ones_like(count)
            n, freedom = (
                xp.where(count > 1, count, one),
                xp.where(count > 1 + self.ddof, count - self.ddof, one),
            )
        if not _is_traced(r):
            most = float(xp.finfo(r.dtype).max) / 4  # beyond, 1 / range is subnormal and jax takes it as 0
            if bool(xp.any(high / 8 - low / 8 > most / 8)):
                raise InputError(
                    f"rewards that span more than {most:.3g} are not allowed in {r.dtype}: scale them down"
                )
        gap = high - low
        varied = ~(gap <= 0)  # true for NaN: a reward that is no number must not pass for a silent group
        span = xp.where(varied, gap, xp.ones_like(low))
        unit = xp.where(varied, (r - low) / span, xp.zeros_like(r))
        if valid is not None:
            unit = xp.where(valid, unit, xp.zeros_like(unit))
        centred = unit - xp.sum(unit, axis=-1, keepdims=True) / n
        if valid is not None:
            centred = xp.where(valid, centred, xp.zeros_like(centred))
        if self.scale == "none":
            return centred * span
        variance = xp.sum(centred * centred, axis=-1, keepdims=True) / freedom
        std = xp.sqrt(
            xp.where(varied, variance, xp.ones_like(variance))
        )  # the root never sees 0: its slope there is infinite
        return centred / (std + self.eps / span if self.eps else std)  # 0 / span has slope 0 / 0 at span 1e-300
