"""Step judges that err, as confusion matrices over outcome classes (docs/theory.md, section 5)."""

import numpy as np

from spo_theory.chain import ReasoningChain
from spo_theory.checks import check, problem, refuse
from spo_theory.expected import rule_advantage_function
from spo_theory.rules import Rule


def confusion(horizon: int, miss: float = 0.0, false_alarm: float = 0.0) -> np.ndarray:
    """Probability ``(H, H + 1)`` that an incorrect response of class k is judged to fail first after j steps.

    The judge reads the steps in order and stops at the first one it calls wrong. ``miss``: probability that it
    passes a wrong step; ``false_alarm``: probability that it calls a right step wrong; both in [0, 1],
    independent between steps. Every step after the first error is wrong too. Column H: nothing was called
    wrong, so the response earns the colour of RTS 1 (it is still known to be incorrect by its outcome).
    Derived in docs/theory.md, section 5.
    """
    refuse(
        problem(isinstance(horizon, int) and horizon >= 1, "horizon", horizon, "a whole number, at least 1")
        + problem(0 <= miss <= 1, "miss", miss, "between 0 and 1")
        + problem(0 <= false_alarm <= 1, "false_alarm", false_alarm, "between 0 and 1")
    )
    steps = np.arange(horizon)
    flagged = np.where(steps[None, :] < steps[:, None], false_alarm, 1 - miss)  # [class k, step j]
    passed = np.concatenate([np.ones((horizon, 1)), np.cumprod(1 - flagged, axis=1)], axis=1)
    return passed * np.concatenate([flagged, np.ones((horizon, 1))], axis=1)


def expected_update_judged(
    chain: ReasoningChain, rule: Rule, miss: float = 0.0, false_alarm: float = 0.0
) -> np.ndarray:
    """Expected update ``(..., H)`` when the colours come from a judge that errs; outcomes are known exactly.

    ``miss``, ``false_alarm``: as in `confusion`. An incorrect response is rewarded for the step it is judged to
    fail at, and its advantage acts on the steps it really took; in all-negative or in all groups, as the rule says.
    A perfect judge gives `spo_theory.expected_update`. Raises `InputError` for rates outside [0, 1] and for a rule
    with credit to the prefix. Derived in docs/theory.md, sections 2 and 5.
    """
    check(rule.credit == "response", "credit", rule.credit, "'response'")
    judged = confusion(chain.horizon, miss, false_alarm)
    p, right = chain.class_probs, chain.class_probs[..., -1:]
    seen = np.concatenate([p[..., :-1] @ judged, right], axis=-1)  # judged classes 0..H of wrong ones; correct
    advantages = np.asarray(rule_advantage_function(rule, np.append(chain.rts, 1.0))(seen))
    given = np.concatenate([advantages[..., :-1] @ judged.T, advantages[..., -1:]], axis=-1)
    return np.einsum("...k,...kh->...h", p * given, chain.scores)
