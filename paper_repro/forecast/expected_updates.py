"""Exact expected updates of every question of a batch, from the log-odds of its steps (docs/theory/network.md)."""

from math import gcd
from typing import Any

import numpy as np

from spo_theory.exact.refusals import NoExactForm
from spo_theory.exact.update import UpdateForm, evaluate_update_compiled, prepare_update
from spo_theory.method import Method
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.judged import judged_world
from spo_theory.parts.across import Independent
from spo_theory.parts.rewards import Outcome, PlusMinusOne

ROWS = 16
"""Questions are evaluated in multiples of this many, so that few shapes are compiled."""


def follows_from_classes(method: Method) -> bool:
    """Whether step weights of ``method`` on fresh groups follow from the outcome classes of each group alone.

    Then the expected gradient of a network is exact; docs/theory/network.md#expected-gradient.

    >>> from spo_theory import rule
    >>> follows_from_classes(rule("spo")), follows_from_classes(rule("lens"))
    (True, False)
    """
    alone = isinstance(method.across, Independent) and not method.sampler.resamples
    return alone and not method.uses_log_prob


class ExpectedUpdates:
    """What a method does on average to the log-odds of questions with any number of steps of any lengths.

    ``update_rule``: the method; its weights must follow from outcome classes alone. ``confusion``: a function from a
    horizon H to the confusion matrix ``(H, H + 1)`` of the step judge (`spo_theory.outcomes.judged.confusion`); None:
    the judge does not err. Raises `NoExactForm` where only the Monte Carlo remains.
    Source: docs/theory/network.md#expected-gradient.

    >>> from spo_theory import rule
    >>> updates = ExpectedUpdates(rule("grpo", group_size=2))
    >>> updates(np.zeros((1, 3)), lengths=np.array([[1, 1, 0]])).tolist()  # a question of two steps
    [[0.125, 0.125, 0.0]]
    """

    def __init__(self, update_rule: Method, confusion: Any = None) -> None:
        # Rows of a batch are evaluated apart, and know neither the start's probabilities nor each other
        if update_rule.objective.uses_reference or not isinstance(update_rule.across, Independent):
            raise NoExactForm(
                f"rule = {update_rule.name!r} is not allowed: its weights need the start policy or other questions"
            )
        self.update_rule = update_rule
        self.confusion = confusion
        self._forms: dict[tuple[tuple[int, ...], bool], UpdateForm] = {}

    def __call__(self, log_odds: np.ndarray, lengths: np.ndarray, now: np.ndarray | None = None) -> np.ndarray:
        """Expected update ``(N, S)``, per unit of learning rate, 0 for steps that a question does not have.

        ``log_odds`` ``(N, S)``: of each step under the policy that samples. ``lengths`` ``(N, S)``: tokens of each true
        step, 0 for none. ``now`` ``(N, S)``: log-odds after some gradient steps on the batch; None: none was made.
        """
        # Questions that look alike are one call.
        update = np.zeros(log_odds.shape)
        kinds, place = np.unique([self._kind(row) for row in lengths], axis=0, return_inverse=True)
        for index, kind in enumerate(kinds):
            rows = np.flatnonzero(np.ravel(place) == index)
            horizon = int((kind > 0).sum())

            # The last row is filled up with questions that are there.
            padded = np.resize(rows, -(-len(rows) // ROWS) * ROWS)
            given = [None if odds is None else odds[padded, :horizon] for odds in (log_odds, now)]
            form = self._form(tuple(kind[:horizon].tolist()), now is not None)
            update[rows, :horizon] = np.asarray(evaluate_update_compiled(form, *given))[: len(rows)]
        return update

    def _kind(self, lengths: np.ndarray) -> np.ndarray:
        """What the method can see of the lengths ``(S,)`` of a question's steps: nothing if it rewards outcomes."""
        if isinstance(self.update_rule.reward, Outcome | PlusMinusOne):
            return (lengths > 0).astype(int)
        return lengths // gcd(*lengths.tolist())  # RTS is a ratio of lengths

    def _form(self, lengths: tuple[int, ...], off_policy: bool) -> UpdateForm:
        """The expected update of questions whose steps have these ``lengths``; kept, because batches ask again."""
        key = (lengths, off_policy)
        if key not in self._forms:
            world = ReasoningChain(logits=np.zeros(len(lengths)), step_lengths=lengths).world()
            if self.confusion is not None:
                world = judged_world(world, self.confusion(len(lengths)))
            self._forms[key] = prepare_update(world, self.update_rule, padded=True, off_policy=off_policy)
        return self._forms[key]
