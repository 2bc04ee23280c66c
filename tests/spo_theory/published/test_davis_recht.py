"""Davis and Recht, arXiv 2510.13651: what the std does to the clock."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from spo_theory import ReasoningChain, expected_update, rule, solve
from spo_theory.dynamics.first_passage import first_reach
from spo_theory.published.davis_recht import transform_clock


@pytest.mark.parametrize(
    ("p0", "std", "mean_only"), [(0.1, 5.333, 13.283), (0.01, 19.699, 108.180), (0.001, 63.151, 1012.813)]
)
def test_davis_recht_times_to_half(p0, std, mean_only):
    """Davis & Recht, arXiv 2510.13651: GRPO ascends arcsin sqrt(p); time from p0 to 1/2 by clock, ODE and rules."""
    for scale, printed, power in (("std", std, 1.5), ("none", mean_only, 2.0)):
        time = float(transform_clock(0.5, scale) - transform_clock(p0, scale))
        assert time == pytest.approx(printed, abs=5e-4)
        half = solve_ivp(lambda t, p, a=power: (p * (1 - p)) ** a, (0, time), [p0], rtol=1e-10, atol=1e-13)
        assert half.y[0, -1] == pytest.approx(0.5, abs=1e-7)
    assert transform_clock(0.5) - transform_clock(p0) == pytest.approx(2 * (1 - 2 * p0) / np.sqrt(p0 * (1 - p0)))
    # the rules themselves, in finite groups: the time is the integral of 1 / (expected update) over the log-odds
    node, weight = np.polynomial.legendre.leggauss(60)
    start = np.log(p0 / (1 - p0))
    x = start * (1 - node) / 2

    def exact(name, group_size):
        speed = expected_update(ReasoningChain(logits=x[:, None]), rule(name, group_size=group_size))[:, 0]
        return float(weight @ (1 / speed)) * -start / 2

    assert exact("dr_grpo", 8) * 7 / 8 == pytest.approx(mean_only, abs=5e-4)
    if p0 >= 0.01:  # at 0.001 a group would have to be much larger than 1,000 to see a correct response
        times = [exact("grpo", g) for g in (512, 1024)]
        assert times[0] > times[1] > std
        limit = 2 * (1 - 2 * p0) / np.sqrt(p0 * (1 - p0))
        assert 2 * times[1] - times[0] == pytest.approx(limit, rel=1e-5 if p0 == 0.1 else 5e-4)  # error of order 1/G^2


def test_davis_recht_steps_of_the_chain():
    """Davis & Recht, arXiv 2510.13651: small steps of the mean-only rule take the time of the flow, 13.283."""
    chain, times = ReasoningChain(step_success=[0.1]), []
    for rate in (0.1, 0.05):
        curve = solve(chain, rule("dr_grpo"), int(16 / rate), learning_rate=rate)
        times.append(first_reach(curve["step"], curve["success"], 0.5) * rate * 7 / 8)
    assert 2 * times[1] - times[0] == pytest.approx(13.283, abs=1e-3)  # extrapolated to rate 0
