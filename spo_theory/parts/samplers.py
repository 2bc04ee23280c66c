"""Samplers: where groups come from and how often each batch is used."""

from dataclasses import dataclass

from spo_theory.validation import check, is_whole


@dataclass(frozen=True)
class FreshGroups:
    """New groups from the current policy for every batch.

    inner_updates: gradient steps on each batch, at least 1. From the second on, the policy is no longer the one that
    sampled, and the importance ratio of the objective matters. Raises `InputError` for other values.
    Source: docs/theory/clipping.md.

    Example:
        >>> FreshGroups(inner_updates=4).inner_updates
        4
    """

    inner_updates: int = 1

    def __post_init__(self) -> None:
        check(is_whole(self.inner_updates, 1), "inner_updates", self.inner_updates, "a whole number, at least 1")
