"""What a method needs: a step judge or not, and which groups it can learn from. Found by asking the method itself.

So a new method is counted (`spo_theory.exact.costs`, `toy_llm.training.costs`) without a word of its own.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from spo_theory.group import Group
from spo_theory.method import Method

NOTHING = 1e-12
"""Step weights below this are none."""


@dataclass(frozen=True)
class Needs:
    """What a method makes of groups of responses with H steps.

    alike: boolean ``(H + 1, H + 1)``, whether an all-negative group has no weights in which one response first errs
    after so many right steps (rows), and all others after so many (columns); H: the judge found no error. silent:
    boolean ``(2,)``, the same of mixed and of all-positive groups. judged: boolean ``(2,)``, whether weights of
    all-negative and of mixed groups depend on where incorrect responses go wrong. kept: boolean ``(3,)``, whether the
    group filter keeps all-negative, mixed and all-positive groups.
    """

    alike: np.ndarray
    silent: np.ndarray
    judged: np.ndarray
    kept: np.ndarray


@lru_cache(maxsize=256)
def needs_of(method: Method, horizon: int) -> Needs:
    """Ask ``method`` what it makes of groups of responses with ``horizon`` H steps.

    A response of few right steps is tried among others that are equal to each other. Source:
    docs/theory/remedies.md#costs.

    Example:
        >>> from spo_theory import rule
        >>> needs_of(rule("spo"), horizon=3).judged.tolist(), needs_of(rule("grpo"), horizon=3).judged.tolist()
        ([True, False], [False, False])
    """
    size = method.group_size
    odd, others = np.meshgrid(np.arange(horizon + 1), np.arange(horizon + 1), indexing="ij")
    each = np.concatenate([odd[..., None], np.repeat(others[..., None], size - 1, axis=-1)], axis=-1)
    alike = np.abs(_weights(method, each, np.zeros(each.shape, bool), horizon)).max((-1, -2)) < NOTHING

    # Two responses are wrong in the mixed group, or one of two: a lone wrong response has no other to be told from
    wrong = min(2, size - 1)
    mixed = np.array([0, horizon - 1][:wrong] + [horizon] * (size - wrong))
    is_right = np.arange(size) >= wrong
    right = np.full(size, horizon)
    silent = [
        np.abs(_weights(method, mixed, is_right, horizon)).max() < NOTHING,
        np.abs(_weights(method, right, np.ones(size, bool), horizon)).max() < NOTHING,
    ]

    # A method that hears the judge gives other weights if he is told to hear another first error
    late = np.where(is_right, horizon, horizon - 1)
    negative = np.array([0, *[horizon - 1] * (size - 1)])
    none = np.zeros(size, bool)
    judged = [
        _differs(method, negative, np.full(size, horizon - 1), none, horizon),
        _differs(method, mixed, late, is_right, horizon),
    ]

    groups = [_group(negative, none, horizon), _group(mixed, is_right, horizon), _group(right, ~none, horizon)]
    kept = [bool(method.keep(group, method.reward(group))) for group in groups]
    return Needs(alike, np.array(silent), np.array(judged), np.array(kept))


def _group(first_error: np.ndarray, correct: np.ndarray, horizon: int) -> Group:
    """A group of responses of ``horizon`` equally long and equally likely steps; arrays ``(..., G)``."""
    shape = (*first_error.shape, horizon)
    return Group(correct, first_error, np.ones(shape), np.ones(shape), log_prob=np.full(shape, np.log(0.5)))


def _weights(method: Method, first_error: np.ndarray, correct: np.ndarray, horizon: int) -> np.ndarray:
    return np.asarray(method.weights(_group(first_error, correct, horizon)), dtype=float)


def _differs(method: Method, one: np.ndarray, other: np.ndarray, correct: np.ndarray, horizon: int) -> bool:
    spread = _weights(method, one, correct, horizon) - _weights(method, other, correct, horizon)
    return bool((np.abs(spread) > NOTHING).any())
