"""What can be wrong with advantages on one batch; each function judges one thing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spo_theory.conformance.advantages.batches import Batch
from spo_theory.conformance.advantages.tolerances import Reference, allowed
from spo_theory.conformance.core import Complaint, answers, texts

Call = Callable[..., np.ndarray]
"""The function under test, or its convention: ``call(rewards, valid)``, and with ``order=`` where groups have ids."""


@dataclass(frozen=True)
class Setting:
    """What is known of the function under test.

    reference: its convention in exact arithmetic, None if it is not known. convention: what that is called.
    rounding: distance from 1 to the next number of the dtype. sizes: group sizes to try.
    """

    reference: Reference | None
    convention: str
    dtype: str
    rounding: float
    sizes: tuple[int, ...]


def worst(got: np.ndarray, wanted: np.ndarray, limit: np.ndarray, words: str) -> Complaint | None:
    """A complaint about the entry that is furthest off, in tolerances; None if all are within ``limit``."""
    off = np.abs(got - wanted)
    excess = np.where(np.isfinite(got), off / limit, np.inf)
    if not (excess > 1).any():
        return None
    return Complaint(words, float(excess.max()), texts(got), texts(wanted))


def agrees(call: Call, batch: Batch, setting: Setting, stable: bool = False) -> Complaint | None:
    """Whether the function gives what its convention gives."""
    assert setting.reference is not None
    exact = setting.reference(batch.rewards, batch.valid)
    got = call(batch.rewards, batch.valid)
    limit = allowed(batch.rewards, batch.valid, exact, setting.rounding, stable)
    return worst(got, exact, limit, f"not the advantages of {setting.convention}")


def silent(call: Call, batch: Batch, setting: Setting) -> Complaint | None:
    """Whether groups of equal rewards have advantages 0, up to the rounding of the rewards themselves."""
    equal = np.ptp(batch.rewards, axis=-1, keepdims=True) == 0
    if not equal.any():
        return None
    got = call(batch.rewards, batch.valid)
    size = np.abs(batch.rewards).max(-1, keepdims=True)
    limit = (batch.rewards.shape[-1] + 8) * setting.rounding * size + setting.rounding * 1e-3
    wanted = np.where(equal, 0.0, got)
    return worst(got, wanted, np.broadcast_to(limit, got.shape), "equal rewards have advantages that are not 0")


def speaks(call: Call, batch: Batch, setting: Setting) -> Complaint | None:
    """Whether a group of unequal rewards has an advantage that is not 0."""
    got = call(batch.rewards, batch.valid)
    mute = (np.ptp(batch.rewards, axis=-1) > 0) & ~np.abs(got).any(-1)
    if not mute.any():
        return None
    return Complaint("a group of unequal rewards has advantages 0", np.inf, texts(got), "not all 0")


def answers_at_all(call: Call, batch: Batch, setting: Setting) -> Complaint | None:
    """Whether the function answers, with one number a response."""
    return answers(lambda seen: call(seen.rewards, seen.valid), batch, setting)


def finite(call: Call, batch: Batch, setting: Setting) -> Complaint | None:
    """Whether all advantages are numbers."""
    got = call(batch.rewards, batch.valid)
    return None if np.isfinite(got).all() else Complaint("NaN or infinite advantages", np.inf, texts(got), "finite")


def sums_to_zero(call: Call, batch: Batch, setting: Setting) -> Complaint | None:
    """Whether the advantages of a group sum to 0."""
    got = call(batch.rewards, batch.valid)
    limit = allowed(batch.rewards, batch.valid, got, setting.rounding).max(-1) * got.shape[-1]
    return worst(got.sum(-1), np.zeros(len(got)), limit, "advantages of a group do not sum to 0")


def ordered(call: Call, batch: Batch, setting: Setting) -> Complaint | None:
    """Whether a larger reward has no smaller advantage, and equal rewards have equal advantages."""
    got = call(batch.rewards, batch.valid)
    limit = 2 * allowed(batch.rewards, batch.valid, got, setting.rounding)[..., None]
    ahead = batch.rewards[..., :, None] >= batch.rewards[..., None, :]
    behind = np.where(ahead, got[..., None, :] - got[..., :, None], 0.0)
    excess = behind / limit
    if not (excess > 1).any():
        return None
    return Complaint("a larger or equal reward has a smaller advantage", float(excess.max()), texts(got), "in order")


def same(
    call: Call, batch: Batch, setting: Setting, changed: Callable[..., np.ndarray], words: str
) -> Complaint | None:
    """Whether another way to ask gives the same; ``changed``: from the call and the batch to what must be equal."""
    straight = call(batch.rewards, batch.valid)
    other = changed(call, batch)

    # A group of equal rewards has no slope of its own, but over a batch it moves with the rounding of the others
    limit = 2 * allowed(batch.rewards, batch.valid, straight, setting.rounding)
    limit = np.maximum(limit, 8 * setting.rounding * np.abs(straight).max(initial=0.0))
    return worst(other, straight, limit, words)


def responses_in_another_order(call: Call, batch: Batch) -> np.ndarray:
    """Advantages after the responses of each group were turned around, put back in place."""
    turned = call(batch.rewards[:, ::-1], None if batch.valid is None else batch.valid[:, ::-1])
    return turned[:, ::-1]


def groups_in_another_order(call: Call, batch: Batch) -> np.ndarray:
    """Advantages after the groups were rotated, put back in place."""
    turned = call(np.roll(batch.rewards, 1, 0), None if batch.valid is None else np.roll(batch.valid, 1, 0))
    return np.roll(turned, -1, 0)


def rows_interleaved(call: Call, batch: Batch) -> np.ndarray:
    """Advantages after the responses were handed over with no group in one piece."""
    order = np.arange(batch.rewards.size).reshape(batch.rewards.shape).T.ravel()[::-1]
    return call(batch.rewards, batch.valid, order=order)


def groups_alone(call: Call, batch: Batch) -> np.ndarray:
    """Advantages of every group computed without the others."""
    valid = [None] * len(batch.rewards) if batch.valid is None else [row[None] for row in batch.valid]
    return np.concatenate([call(row[None], mask) for row, mask in zip(batch.rewards, valid, strict=True)])


def again(call: Call, batch: Batch) -> np.ndarray:
    """Advantages when the same is asked a second time, after something else was asked."""
    call(1 - batch.rewards, batch.valid)
    return call(batch.rewards, batch.valid)


def shifted(call: Call, batch: Batch) -> np.ndarray:
    """Advantages after all rewards were raised by one half, which rounds nothing here."""
    return call(batch.rewards + 0.5, batch.valid)


def doubled(call: Call, batch: Batch) -> np.ndarray:
    """Advantages after all rewards were multiplied by 4."""
    return call(4 * batch.rewards, batch.valid)


def doubled_back(call: Call, batch: Batch) -> np.ndarray:
    """Advantages after all rewards were multiplied by 4, divided by 4."""
    return call(4 * batch.rewards, batch.valid) / 4


def bounded(call: Call, batch: Batch, setting: Setting) -> Complaint | None:
    """Whether no advantage exceeds the square root of G - 1, which no standardized number of a group of G can."""
    got = call(batch.rewards, batch.valid)
    limit = np.sqrt(max(batch.rewards.shape[-1] - 1, 1)) * (1 + 64 * setting.rounding)
    if not (np.abs(got) > limit).any():
        return None
    return Complaint(
        "an advantage exceeds sqrt(G - 1)", float(np.abs(got).max() / limit), texts(got), f"<= {limit:.4g}"
    )


def masked_are_ignored(call: Call, batch: Batch, setting: Setting) -> Complaint | None:
    """Whether the rewards of responses that do not count have no influence, and no advantage."""
    got = call(batch.rewards, batch.valid)
    counted = batch.counted
    limit = 2 * allowed(batch.rewards, batch.valid, got, setting.rounding)
    if np.abs(np.where(counted, 0.0, got)).max() > 0:
        return Complaint("a response that does not count has an advantage", np.inf, texts(got), "0 where masked")
    other = call(np.where(counted, batch.rewards, 7.0), batch.valid)
    return worst(np.where(counted, other, 0.0), got, limit, "the reward of a masked response matters")


def lonely_is_silent(call: Call, batch: Batch, setting: Setting) -> Complaint | None:
    """Whether the only response that is left of a group has advantage 0: there is nothing to compare it with."""
    alone = batch.counted.sum(-1) == 1
    got = call(batch.rewards, batch.valid)
    of_alone = np.where(batch.counted & alone[:, None], got, 0.0)
    limit = np.full(got.shape, 64 * setting.rounding)
    return worst(of_alone, np.zeros_like(got), limit, "the only response left of a group has an advantage")
