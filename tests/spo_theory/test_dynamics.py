"""The discrete dynamics against the paper's numbers, published tables and independent recursions."""

import itertools
import logging

import jax
import numpy as np
import pytest
import torch
from everyday import spare
from scipy.special import binom, expit, logit

from spo_theory import InputError, ReasoningChain, expected_update, rule, simulate, solve
from spo_theory.dynamics.clipped import solve_clipped
from spo_theory.dynamics.diffusion import diffuse
from spo_theory.dynamics.flow import flow, flow_time
from spo_theory.dynamics.maps import escape_map, updates_to
from spo_theory.dynamics.sampled import sampled_update
from spo_theory.exact.moments import group_covariance
from spo_theory.exact.update import rule_advantage_function

TWO_STEP = {
    "spo": rule("spo", group_size=2, shape="raw", scope="all_incorrect"),
    "grpo": rule("grpo", group_size=2),
}


def first_at_half(curve):
    """Number of updates until success is at least one half."""
    return int(curve["step"][curve["success"] >= 0.5].iloc[0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("spo", [0.2899, 0.4687, 0.6670, 0.8495, 0.9506]), ("grpo", [0.2822, 0.4425, 0.6434, 0.8389, 0.9488])],
)
def test_two_step_reference_values_of_the_paper(name, expected):
    curve = solve(ReasoningChain(step_success=[0.5, 0.5]), TWO_STEP[name], steps=50, learning_rate=1.0)
    got = curve.set_index("step")["success"][[1, 5, 10, 20, 50]].to_numpy()
    np.testing.assert_allclose(got, expected, atol=5e-5, rtol=0)


@pytest.mark.parametrize("start", [(0.5, 0.5), (0.9, 0.5), (0.1, 0.1)])
def test_two_step_against_the_printed_logit_increments(start):
    for name, d_first, d_second in [
        ("grpo", lambda p, q: p * (1 - p) * q, lambda p, q: p * q * (1 - q)),
        ("spo", lambda p, q: p * (1 - p), lambda p, q: p * p * q * (1 - q)),
    ]:
        x, y = logit(start)
        curve = solve(ReasoningChain(step_success=start), TWO_STEP[name], steps=100)
        for row in curve.itertuples():
            assert (row.q_1, row.q_2) == pytest.approx((expit(x), expit(y)), abs=1e-13)
            p, q = expit(x), expit(y)
            x, y = x + d_first(p, q), y + d_second(p, q)


def test_the_region_where_colouring_is_slower():
    chain = ReasoningChain(step_success=[0.9, 0.5])
    behind = solve(chain, TWO_STEP["spo"], 60)["success"] < solve(chain, TWO_STEP["grpo"], 60)["success"]
    assert list(np.flatnonzero(behind)) == list(range(1, 14))


def grpo_by_recursion(q0, horizon, group_size):
    """Updates to half success of GRPO from the binomial closed form, one scalar for all (equal) steps."""
    k = np.arange(1, group_size)
    ways = binom(group_size, k) * np.sqrt(k * (group_size - k)) / group_size
    x, count = logit(q0), 0
    while expit(x) ** horizon < 0.5:
        success = expit(x) ** horizon
        factor = (ways * success**k * (1 - success) ** (group_size - k)).sum()
        x, count = x + factor * (1 - expit(x)) / (1 - success), count + 1
    return count


@pytest.mark.parametrize(
    ("horizon", "spo_8", "spo_64"), [(2, 7, 7), (4, 19, 19), (6, 32, 31), (8, 48, 43), (10, 64, 57), (12, 83, 73)]
)
def test_colouring_needs_about_linearly_many_updates(horizon, spo_8, spo_64):
    chain = ReasoningChain(step_success=[0.3] * horizon)
    for group_size, count in ((8, spo_8), (64, spo_64)):
        coloured = rule("spo", group_size=group_size, beta=5.0, gamma=0.5)
        assert first_at_half(solve(chain, coloured, steps=count + 3)) == count


@pytest.mark.parametrize(
    ("horizon", "count_8", "count_64"), [(2, 8, 7), (4, 41, 23), (6, 233, 93), (8, 1726, 595), (10, 14607, 4894)]
)
def test_grpo_needs_exponentially_many_updates(horizon, count_8, count_64):
    chain = ReasoningChain(step_success=[0.3] * horizon)
    for group_size, expected in ((8, count_8), (64, count_64)):
        count = grpo_by_recursion(0.3, horizon, group_size)
        assert first_at_half(solve(chain, rule("grpo", group_size=group_size), steps=count + 3)) == count
        assert count == expected


@pytest.mark.parametrize(
    ("q0", "horizon", "grpo", "dr_grpo", "spo", "spo_prefix"),
    [
        (0.5, 2, 7, 15, 7, 7),
        (0.5, 3, 15, 35, 14, 14),
        (0.5, 4, 27, 64, 23, 21),
        (0.5, 5, 43, 107, 32, 28),
        (0.5, 6, 67, 175, 41, 36),
        (0.3, 2, 16, 37, 14, 14),
        (0.3, 3, 36, 92, 25, 23),
        (0.3, 4, 80, 218, 37, 32),
        (0.3, 5, 185, 532, 50, 42),
    ],
)
def test_horizon_scaling_at_learning_rate_one_half(q0, horizon, grpo, dr_grpo, spo, spo_prefix):
    chain = ReasoningChain(step_success=[q0] * horizon)
    raw = {"shape": "raw"}
    for name, expected, options in (
        ("grpo", grpo, {}),
        ("dr_grpo", dr_grpo, {}),
        ("spo", spo, raw),
        ("spo_prefix", spo_prefix, raw),
    ):
        curve = solve(chain, rule(name, group_size=8, **options), steps=expected + 3, learning_rate=0.5)
        assert first_at_half(curve) == expected, name


def test_shared_kernel_moves_all_steps_and_questions_together():
    chain = ReasoningChain(logits=np.array([[0.2, -0.4], [-1.0, 0.3], [0.0, 0.5]]))
    r = rule("spo", group_size=4)
    curve = solve(chain, r, steps=3, learning_rate=0.1, kernel=np.full((2, 2), 2.0))
    x = chain.logits.copy()
    for row in curve.itertuples():
        assert (row.q_1, row.q_2) == pytest.approx(tuple(expit(x).mean(0)), abs=1e-13)
        assert row.success == pytest.approx(expit(x).prod(1).mean(), abs=1e-13)
        x = x + 0.1 * 2.0 * np.asarray(expected_update(ReasoningChain(logits=x), r)).mean(0).sum()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("sgd", lambda x: torch.optim.SGD(x, lr=0.1)),
        ("momentum", lambda x: torch.optim.SGD(x, lr=0.1, momentum=0.9)),
        ("adam", lambda x: torch.optim.Adam(x, lr=0.1)),
    ],
)
def test_optimizers_on_logits_are_torchs(name, make):
    chain, r = ReasoningChain(step_success=[0.4, 0.6, 0.5]), rule("spo", group_size=4)
    advantage = jax.jit(rule_advantage_function(r, chain.rts))
    theta = torch.tensor(chain.logits, requires_grad=True)
    optimizer = make([theta])
    curve = solve(chain, r, steps=20, learning_rate=0.1, optimizer=name)
    for row in curve.itertuples():
        now = ReasoningChain(logits=theta.detach().numpy().copy())
        assert (row.q_1, row.q_2, row.q_3) == pytest.approx(tuple(expit(now.logits)), abs=1e-12)
        theta.grad = -torch.tensor((now.class_probs * np.asarray(advantage(now.class_probs))) @ now.scores)
        optimizer.step()


def test_adam_features_reduce_to_logits_for_a_tabular_policy():
    chain, r = ReasoningChain(step_success=[0.4, 0.6]), rule("spo", group_size=4)
    a = solve(chain, r, 15, 0.1, "adam")
    np.testing.assert_allclose(a, solve(chain, r, 15, 0.1, "adam", features=np.eye(2)), rtol=1e-12)
    noisy = solve(chain, r, 15, 0.1, "adam", features=np.eye(2), gradient_variance=np.ones(2))
    assert (noisy["success"][1:] < a["success"][1:]).all()  # noise only ever shortens Adam's steps


def test_updates_to_interpolates_and_says_never():
    curve = solve(ReasoningChain(step_success=[0.4]), rule("grpo"), 30, 0.1)
    t = updates_to(curve, 0.5)
    assert np.interp(t, curve["step"], curve["success"]) == pytest.approx(0.5)
    assert np.isnan(updates_to(curve, 0.999999))
    assert updates_to(curve, 0.1) == 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"steps": -1}, "steps = -1"),
        ({"steps": 2, "learning_rate": 0.0}, "learning_rate = 0.0"),
        ({"steps": 2, "optimizer": "lion"}, "optimizer = 'lion'"),
        ({"steps": 2, "kernel": np.ones((3, 3))}, "kernel.shape = (3, 3)"),
        ({"steps": 2, "kernel": [[np.nan, 0], [0, 1]]}, "kernel = [[nan, 0], [0, 1]]"),
        ({"steps": 2, "optimizer": "adam", "kernel": np.eye(2)}, "kernel"),
        ({"steps": 2, "features": np.eye(2)}, "features"),
        ({"steps": 2, "questions": 4}, "questions = 4"),
        ({"steps": 2, "optimizer": "adam", "questions": 0}, "questions = 0"),
    ],
)
def test_bad_settings_are_named(settings, named):
    with pytest.raises(InputError) as error:
        solve(ReasoningChain(step_success=[0.5, 0.5]), rule("grpo"), **settings)
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_escape_map_is_each_question_by_itself():
    q = np.array([[0.3, 0.3], [0.5, 0.2], [0.8, 0.9], [0.01, 0.01]])
    found = escape_map(ReasoningChain(step_success=q), rule("spo"), 40)
    for start, updates in zip(q[:2], found[:2], strict=True):
        assert updates == pytest.approx(
            updates_to(solve(ReasoningChain(step_success=start), rule("spo"), 40)), rel=1e-9
        )
    assert found[2] == 0
    assert np.isnan(found[3])
    with pytest.raises(InputError, match="level = 2"):
        escape_map(ReasoningChain(step_success=q), rule("spo"), 40, level=2)


# --- compiled once ------------------------------------------------------------------------------------------

RUNS = {
    "solve": lambda chain, r, rate: solve(chain, r, 5, rate),
    "momentum": lambda chain, r, rate: solve(chain, r, 5, rate, "momentum", kernel=rate * np.eye(chain.horizon)),
    "adam": lambda chain, r, rate: solve(chain, r, 5, rate, "adam"),
    "noisy adam": lambda chain, r, rate: solve(chain, r, 5, rate, "adam", questions=int(1 / rate)),
    "flow": lambda chain, r, rate: flow(chain, r, rate, points=3),
    "flow_time": lambda chain, r, rate: flow_time(chain, r, longest=rate),
    "escape_map": lambda chain, r, rate: escape_map(chain, r, 5, rate),
    "expected_update": lambda chain, r, rate: expected_update(chain, r),
    "group_covariance": lambda chain, r, rate: group_covariance(chain, r),
    "diffuse": lambda chain, r, rate: diffuse(chain, r, 3, rate, paths=2, seed=int(1 / rate)),
}


def compilations(caplog, run):
    """What jax compiles, by its own log, while ``run`` runs."""
    caplog.clear()
    with caplog.at_level(logging.WARNING), jax.log_compiles():
        run()
    return [m for m in caplog.messages if m.startswith("Compiling")]


@pytest.mark.parametrize(
    ("name", "scope"),
    spare(
        list(itertools.product(RUNS, ["all_negative", "all_incorrect"])),
        [(name, "all_incorrect") for name in RUNS if name not in ("solve", "diffuse")],
    ),
)
def test_another_colouring_group_size_start_or_rate_compiles_nothing(name, scope, caplog):
    first = rule("spo", group_size=4, scope=scope, beta=5.0, gamma=0.5)
    jax.clear_caches()
    assert compilations(caplog, lambda: RUNS[name](ReasoningChain(step_success=[0.4] * 4), first, 0.5))
    for group_size, beta, gamma, eps in ((16, 7.0, 0.4, 0.0), (64, 10.0, 0.6, 1e-4)):
        r = rule("spo", group_size=group_size, scope=scope, beta=beta, gamma=gamma, std_eps=eps)
        chain = ReasoningChain(step_success=[0.3, 0.5, 0.6, 0.4])
        assert compilations(caplog, lambda r=r, chain=chain: RUNS[name](chain, r, 0.25)) == []


@pytest.mark.parametrize("run", [simulate, solve_clipped])
@pytest.mark.parametrize("name", ["spo", "spo_prefix", "rebel"])
def test_other_rates_starts_colourings_and_clips_of_several_updates_on_a_batch_compile_nothing(name, run, caplog):
    # What each of the methods may change: the numbers of its reward and of its objective
    settings = {"rebel": [{"eta": 1.0}, {"eta": 0.5}]}
    coloured = [{"beta": 5.0, "gamma": 0.5, "clip_low": 0.1}, {"beta": 7.0, "gamma": 0.4, "clip_low": 0.2}]
    jax.clear_caches()
    for i, (rate, q) in enumerate(((0.5, 0.4), (0.25, 0.6))):
        chain = ReasoningChain(step_success=[q] * 3)
        r = rule(name, group_size=3, **settings.get(name, coloured)[i])
        found = compilations(caplog, lambda chain=chain, r=r, rate=rate: run(chain, r, 3, learning_rate=rate))
        assert (found == []) == (i > 0)


def test_another_colouring_of_sampled_groups_compiles_nothing(caplog):
    jax.clear_caches()
    chain = ReasoningChain(step_success=[0.4] * 3)
    for i, beta in enumerate((5.0, 7.0)):
        found = compilations(caplog, lambda beta=beta: sampled_update(chain, rule("spo", beta=beta), groups=50))
        assert (found == []) == (i > 0)


def test_silent_groups_of_unlike_questions_are_averaged_over_questions():
    """The mean of powers, not the power of the mean."""
    chain = ReasoningChain(step_success=[[0.2, 0.3], [0.9, 0.8]])
    row = solve(chain, rule("grpo", group_size=8), steps=0).iloc[0]
    assert row["all_negative"] == pytest.approx(((1 - chain.success) ** 8).mean(), rel=1e-12)
    assert row["all_negative"] > 10 * (1 - chain.success.mean()) ** 8
