"""Batches of token log-probabilities on which losses are tried, and how one that fails is made small."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Tokens:
    """What a loss is given: B responses of up to T tokens.

    log_prob, old: ``(B, T)``, nats, under the current and the sampling policy. advantages: ``(B,)``. mask: boolean
    ``(B, T)``, True for tokens of the response. reference: ``(B, T)``, nats, under the reference policy.
    """

    log_prob: np.ndarray
    old: np.ndarray
    advantages: np.ndarray
    mask: np.ndarray
    reference: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """Importance ratio ``(B, T)`` of every token."""
        return np.exp(self.log_prob - self.old)


def make(
    seed: int, lengths: tuple[int, ...], spread: float = 0.0, away: float = 0.0, advantages: float | None = None
) -> Tokens:
    """Random tokens of responses with these lengths; ``spread`` of the log-ratios, ``away`` of the reference."""
    generator = np.random.default_rng(seed)
    shape = (len(lengths), max(lengths) + 1)
    old = -generator.exponential(1.0, shape) - 0.05
    given = generator.normal(0, 1, len(lengths)) if advantages is None else np.full(len(lengths), advantages)
    log_ratio = generator.normal(0, spread, shape) if spread else np.zeros(shape)
    return Tokens(
        old + log_ratio,
        old,
        given,
        np.arange(shape[1]) < np.array(lengths)[:, None],
        old + log_ratio + (generator.normal(0, away, shape) if away else 0.0),
    )


def on_policy() -> Iterator[Tokens]:
    """The current policy has sampled: all ratios are 1."""
    yield make(0, (3, 3, 3, 3))
    yield make(1, (5, 1, 3))
    yield make(2, (2,))


def off_policy() -> Iterator[Tokens]:
    """Ratios on both sides of both clips."""
    yield make(3, (5, 2, 4, 3), spread=0.3)
    yield make(4, (6, 1, 3), spread=0.6)


def at_ratio(log_ratio: float, advantage: float) -> Tokens:
    """All tokens have one ratio and all responses one advantage."""
    tokens = make(5, (3, 2), advantages=advantage)
    return replace(tokens, log_prob=tokens.old + log_ratio, reference=tokens.old + log_ratio)


def far() -> Iterator[Tokens]:
    """Log-ratios of 20 either way: a stale rollout, or a token that the other policy never writes."""
    for log_ratio in (20.0, -20.0):
        for advantage in (1.0, -1.0):
            yield at_ratio(log_ratio, advantage)


def with_empty_response() -> Iterator[Tokens]:
    """One response without a token that counts."""
    tokens = make(6, (3, 2, 4))
    mask = tokens.mask.copy()
    mask[1] = False
    yield replace(tokens, mask=mask)


def away_from_reference() -> Iterator[Tokens]:
    """No advantage; the reference policy differs."""
    yield make(7, (4, 2, 3), away=0.5, advantages=0.0)


def smaller(tokens: Tokens) -> Iterator[Tokens]:
    """Simpler batches: a response or the last token less, then rounder numbers."""
    rows, columns = tokens.mask.shape
    for row in range(rows if rows > 1 else 0):
        yield Tokens(*(np.delete(values, row, 0) for values in _arrays(tokens)))
    if columns > 1:
        yield replace(
            tokens,
            **{name: getattr(tokens, name)[:, :-1] for name in ("log_prob", "old", "mask", "reference")},
        )
    for digits in (0, 1):
        rounder = replace(
            tokens,
            **{
                name: np.round(getattr(tokens, name), digits) for name in ("log_prob", "old", "advantages", "reference")
            },
        )
        if any(not np.array_equal(a, b) for a, b in zip(_arrays(tokens), _arrays(rounder), strict=True)):
            yield rounder


def _arrays(tokens: Tokens) -> tuple[np.ndarray, ...]:
    """The five arrays in their order."""
    return tokens.log_prob, tokens.old, tokens.advantages, tokens.mask, tokens.reference
