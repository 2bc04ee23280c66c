"""Gradient flow: against a closed-form clock, the limit of small steps, and brute-force integration."""

import numpy as np
import pytest
from scipy.integrate import quad

from spo_theory import InputError, ReasoningChain, expected_update, rule, solve
from spo_theory.dynamics.flow import flow, flow_time
from spo_theory.dynamics.maps import updates_to
from spo_theory.published.davis_recht import transform_clock


@pytest.mark.parametrize("p0", [0.1, 0.01])
def test_one_step_mean_only_has_a_closed_clock(p0):
    """H = 1, Dr. GRPO at G: dx/dt = (G-1)/G p (1-p), so the time is G/(G-1) times the infinite group's clock."""
    expected = 8 / 7 * float(transform_clock(0.5, "none") - transform_clock(p0, "none"))
    chain = ReasoningChain(step_success=[p0])
    assert flow_time(chain, rule("dr_grpo")) == pytest.approx(expected, rel=1e-8)
    curve = flow(chain, rule("dr_grpo"), expected, points=3)
    assert curve["success"].iloc[-1] == pytest.approx(0.5, abs=1e-8)
    assert list(curve.columns) == ["time", "success", "all_negative", "q_1"]


@pytest.mark.parametrize("name", ["grpo", "spo"])
def test_equal_steps_reduce_to_one_integral(name):
    """GRPO keeps equal steps equal: the time is an ordinary integral of 1 / g over the common logit."""
    chain = ReasoningChain(step_success=[0.3] * 3)
    if name == "grpo":
        top = np.log(0.5 ** (1 / 3)) - np.log1p(-(0.5 ** (1 / 3)))
        time, _ = quad(
            lambda x: 1 / expected_update(ReasoningChain(logits=[x] * 3), rule(name))[0],
            chain.logits[0],
            top,
            epsrel=1e-10,
        )
        assert flow_time(chain, rule(name)) == pytest.approx(time, rel=1e-7)
    flow_to_half = flow_time(chain, rule(name))
    gaps = [updates_to(solve(chain, rule(name), int(40 / eta), eta)) * eta - flow_to_half for eta in (0.2, 0.1, 0.05)]
    assert abs(gaps[2]) < abs(gaps[1]) < abs(gaps[0])
    assert gaps[1] / gaps[2] == pytest.approx(2, rel=0.1)  # Euler's error is of first order


def test_kernel_and_population():
    chain = ReasoningChain(step_success=[[0.3, 0.4], [0.5, 0.6]])
    kernel = np.array([[2.0, 1.0], [1.0, 2.0]])
    exact = flow(chain, rule("spo"), 4.0, points=2, kernel=kernel)["success"].iloc[-1]
    steps = solve(chain, rule("spo"), 4000, 1e-3, kernel=kernel)["success"].iloc[-1]
    assert steps == pytest.approx(exact, abs=2e-4)


def test_never_reached_is_nan_and_bad_input_is_named():
    chain = ReasoningChain(step_success=[0.3])
    assert np.isnan(flow_time(chain, rule("grpo"), level=0.9, longest=0.1))
    assert flow_time(chain, rule("grpo"), level=0.2) == 0.0
    with pytest.raises(InputError, match="duration = -1") as error:
        flow(chain, rule("grpo"), -1, points=1)
    assert "points = 1" in str(error.value)
    with pytest.raises(InputError, match="level = 1"):
        flow_time(chain, rule("grpo"), level=1)
    with pytest.raises(InputError, match=r"kernel\.shape"):
        flow(chain, rule("grpo"), 1, kernel=np.eye(2))
