"""The Monte Carlo of the chain against the exact expectations and dynamics."""

import numpy as np
import pytest

from spo_theory import InputError, ReasoningChain, expected_update, rule, sampled_update, simulate, solve

RULES = [
    rule("grpo", group_size=8),
    rule("dr_grpo", group_size=5),
    rule("spo", group_size=8, beta=5.0),
    rule("spo", group_size=4, scope="all_incorrect", std_eps=1e-4, ddof=1),
    rule("spo_prefix", group_size=6),
    rule("spo_prefix", group_size=5, scope="all_incorrect", beta=5.0),
]


@pytest.mark.parametrize("r", RULES, ids=lambda r: f"{r.name}-{r.group_size}")
def test_sampled_update_agrees_with_the_exact_one(r):
    chain = ReasoningChain(step_success=[0.4, 0.5, 0.6], step_lengths=[1.0, 2.0, 0.5])
    sample = sampled_update(chain, r, groups=200_000, seed=1)
    z = (sample.mean - np.asarray(expected_update(chain, r))) / sample.standard_error
    assert np.abs(z).max() < 4
    assert (sample.standard_error < 0.01).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grpo", "spo"])
def test_many_sampled_runs_average_to_the_solution(name):
    """The mean of runs differs from the mean-field path only by the runs' own spread (second order)."""
    chain, r = ReasoningChain(step_success=[0.5, 0.4, 0.5]), rule(name, group_size=8)
    runs = simulate(chain, r, steps=40, learning_rate=0.5, questions=2048, seeds=16)
    exact = solve(chain, r, steps=40, learning_rate=0.5)
    wide = runs.pivot(index="step", columns="seed", values="success")
    error = wide.std(axis=1, ddof=1) / np.sqrt(16)
    assert (np.abs(wide.mean(axis=1).to_numpy() - exact["success"].to_numpy()) <= 4 * error + 1e-3).all()


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_other_optimizers_follow_their_exact_means(optimizer):
    """Adam squares sampled gradients: without the exact variance its forecast is far too fast, with it, it holds."""
    chain, r = ReasoningChain(step_success=[0.5, 0.4, 0.5]), rule("grpo", group_size=8)
    rate = 0.05
    runs = simulate(chain, r, 60, rate, questions=4, seeds=64, optimizer=optimizer)
    mean = runs.groupby("step")["success"].mean().to_numpy()
    noise = {"questions": 4} if optimizer == "adam" else {}
    exact = solve(chain, r, 60, rate, optimizer, **noise)["success"].to_numpy()
    assert np.abs(mean - exact).max() < 0.006  # measured: 0.0023 and 0.0034
    if optimizer == "adam":
        blind = solve(chain, r, 60, rate, optimizer)["success"].to_numpy()
        assert np.abs(mean - blind).max() > 4 * np.abs(mean - exact).max()


def test_seeds_are_explicit():
    chain, r = ReasoningChain(step_success=[0.5, 0.4]), rule("spo")
    a, b = (simulate(chain, r, 5, questions=4, seeds=[7, 8]) for _ in range(2))
    assert a.equals(b)
    assert simulate(chain, r, 5, questions=4, seeds=[7]).equals(a[a["seed"] == 7])
    assert not a[a["seed"] == 7]["success"].equals(a[a["seed"] == 8]["success"].reset_index(drop=True))


def test_a_population_of_questions_shares_a_kernel():
    chain = ReasoningChain(logits=np.array([[0.0, 1.0], [0.5, -0.5]] * 32))
    runs = simulate(chain, rule("grpo"), 3, 0.1, seeds=2, kernel=np.ones((2, 2)))
    assert len(runs) == 8
    assert runs["success"].between(0, 1).all()


@pytest.mark.parametrize(("kw", "named"), [({"questions": 0}, "questions"), ({"seeds": []}, "seeds")])
def test_bad_settings_are_named(kw, named):
    with pytest.raises(InputError, match=named):
        simulate(ReasoningChain(step_success=[0.5]), rule("grpo"), 3, **kw)
    with pytest.raises(InputError, match="groups"):
        sampled_update(ReasoningChain(step_success=[0.5]), rule("grpo"), groups=1)
