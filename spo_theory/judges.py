"""Step judges that err, as confusion matrices over outcome classes (docs/theory.md, section 5)."""

import numpy as np

from spo_theory.checks import problem, refuse


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
