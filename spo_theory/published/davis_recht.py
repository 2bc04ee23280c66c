"""Davis and Recht, arXiv 2510.13651: the monotone transforms of success that GRPO ascends, and the clock of each."""

from typing import Any

import numpy as np

from spo_theory.published.probabilities import Scale, checked_probabilities, log_odds, scale_problems
from spo_theory.validation import refuse


def transform_clock(p: Any, scale: Scale = "std") -> np.ndarray:
    """Time coordinate of one step (H = 1) in an infinite group: the flow takes ``clock(p1) - clock(p0)``.

    With x the log-odds of ``p``: ``4 sinh(x / 2)`` for standardized advantages, where ``dx/dt = sqrt(p (1 - p))``,
    and ``2 (x + sinh x)`` for the mean only, where ``dx/dt = p (1 - p)``. Integrated from the paper's transforms
    (GRPO ascends ``arcsin sqrt(p)``).

    ``p``: any shape, in (0, 1). Returns times of the same shape; the unit is an update of learning rate 1. Raises
    `InputError` for a ``p`` outside (0, 1) or an unknown ``scale``.

    >>> round(float(transform_clock(0.5) - transform_clock(0.001)), 3)
    63.151
    """
    refuse(scale_problems(scale))
    x = log_odds(checked_probabilities("p", p))
    if scale == "std":
        return 4 * np.sinh(x / 2)
    return 2 * (x + np.sinh(x))
