"""Wrong kinds, shapes and values at public functions are refused with an `InputError` that names the parameter."""

import numpy as np
import pytest

from spo_theory import (
    InputError,
    ReasoningChain,
    expected_advantages,
    expected_update,
    rule,
    sampled_update,
    simulate,
    solve,
)
from spo_theory.dynamics.clipped import solve_clipped, surrogate_gradient_function
from spo_theory.dynamics.diffusion import diffuse
from spo_theory.dynamics.escape import (
    collapse_rate,
    escape_time,
    fewest_updates,
    lone_failure_update,
    pair_colouring_time,
)
from spo_theory.dynamics.first_passage import first_reach
from spo_theory.dynamics.flow import flow, flow_time
from spo_theory.dynamics.maps import escape_map, updates_to
from spo_theory.exact.by_class.advantages import advantage_function, quadrature_error
from spo_theory.exact.engine import expectation
from spo_theory.exact.moments import batch_covariance, signal_to_noise, square_function
from spo_theory.exact.update import rule_advantage_function, update_function
from spo_theory.method import Method, with_clips
from spo_theory.outcomes.judged import confusion, expected_update_judged, judged_update_function, judged_world
from spo_theory.outcomes.lengths import expected_update_normalized
from spo_theory.outcomes.many_paths import many_paths_world
from spo_theory.outcomes.options import option_world, solve_options
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.published.bay_yearick import mean_group_std
from spo_theory.published.mroueh import kl_fixed_point
from spo_theory.published.rad import noisy_bandit_flow
from spo_theory.published.suk_duan import gradient_gap, largest_safe_rate
from spo_theory.published.zhou import u_statistic
from toy_llm import TrainConfig
from toy_llm.evaluation import Evaluation, interval, pass_at_k

GRPO = rule("grpo", group_size=2)
SPO = rule("spo", group_size=2)
Q = ReasoningChain(step_success=[0.5, 0.4])
TWO = ReasoningChain(step_success=[[0.5, 0.4], [0.3, 0.2]])
RIGHT = np.array([True, False])
FIRST = np.array([2, 0])
LONG = np.array([2, 2])
NAN = float("nan")
HUGE = 10**12
WORDS = {"optimizer": "adam", "features": np.eye(2)}


def advantages(rule_name="grpo", correct=RIGHT, first_error=FIRST, lengths=LONG, **more):
    """Advantages of one group of two responses."""
    return rule(rule_name, group_size=2).advantages(correct, first_error, lengths, **more)


def torch_array():
    """An array of another library."""
    import torch

    return torch.tensor([2, 0])


CASES = {
    # Rules and their options
    "rule = 3": lambda: rule(3),
    "rule = []": lambda: rule([]),
    "beta = '5'": lambda: rule("spo", beta="5"),
    "beta = 1j": lambda: rule("spo", beta=1j),
    "beta = array": lambda: rule("spo", beta=np.array([5.0, 6.0])),
    "beta = inf": lambda: rule("spo", beta=float("inf")),
    "gamma = nan": lambda: rule("spo", gamma=NAN),
    "scope = []": lambda: rule("spo", scope=[]),
    "std_eps = '1'": lambda: rule("grpo", std_eps="1"),
    "ddof = True": lambda: rule("grpo", ddof=True),
    "convention = ['trl']": lambda: rule("grpo", convention=["trl"]),
    "reading = {}": lambda: rule("spo", reading={}),
    "train_on = ['all']": lambda: rule("grpo", train_on=["all"]),
    "inner_updates = True": lambda: rule("grpo", inner_updates=True),
    "clip_low = '0'": lambda: rule("grpo", clip_low="0"),
    "eta = nan": lambda: rule("rebel", eta=NAN),
    f"group_size = {HUGE}": lambda: rule("grpo", group_size=HUGE),
    "group_size = 2.0": lambda: rule("grpo", group_size=2.0),
    "group_size = True": lambda: rule("grpo", group_size=True),
    "reward = 'red'": lambda: Method("x", 8, reward="red"),
    "baseline = None": lambda: Method("x", 8, baseline=None),
    "credit = 3": lambda: Method("x", 8, credit=3),
    "objective = 'clip'": lambda: Method("x", 8, objective="clip"),
    "name = 3": lambda: Method(3, 8),
    "rule = 'spo'": lambda: with_clips("spo", clip_low=0.1),
    # Judged responses
    "correct = [True": lambda: advantages(correct=[True, False]),
    "correct.dtype": lambda: advantages(correct=np.array([1, 0])),
    "correct.shape = ()": lambda: advantages(correct=np.array(True)),
    "first_error.dtype": lambda: advantages(first_error=np.array([2.0, 0.0])),
    "first_error.shape": lambda: advantages(first_error=np.array([2, 0, 1])),
    "first_error = [-1]": lambda: advantages(first_error=np.array([2, -1])),
    "first_error = [9]": lambda: advantages(first_error=np.array([2, 9])),
    "first_error = [4]": lambda: advantages(first_error=np.array([2, 4]), lengths=np.ones((2, 3))),
    "one library": lambda: advantages(first_error=torch_array()),
    "lengths = [nan]": lambda: advantages(lengths=np.array([NAN, 2.0])),
    "lengths.shape": lambda: advantages(lengths=np.array([2, 2, 2])),
    "valid.shape": lambda: advantages(valid=np.array([True])),
    "valid.dtype": lambda: advantages(valid=np.array([1, 1])),
    "confidence = None": lambda: advantages("lens"),
    "confidence = [1.0]": lambda: advantages("lens", confidence=np.array([0.5, 1.0])),
    "confidence = [2.0]": lambda: advantages("lens", confidence=np.array([0.5, 2.0])),
    "confidence = [nan]": lambda: advantages("lens", confidence=np.array([0.5, NAN])),
    "confidence.shape": lambda: advantages("lens", confidence=np.array([0.5])),
    "rewards = [0.0": lambda: GroupAdvantage()([0.0, 1.0]),
    "rewards = 1.0": lambda: GroupAdvantage()(1.0),
    "rewards = array": lambda: GroupAdvantage()(np.zeros((2, 0))),
    "rewards = nan": lambda: GroupAdvantage()(np.array([0.0, NAN])),
    # Expected advantages
    "rewards = ['a'": lambda: expected_advantages([0.5, 0.5], ["a", "b"], 8),
    "rewards = [0.0, nan]": lambda: expected_advantages([0.5, 0.5], [0.0, NAN], 8),
    "rewards = [-1e+308": lambda: expected_advantages([0.5, 0.5], [-1e308, 1e308], 8),
    "rewards = [[0.0": lambda: expected_advantages([0.5, 0.5], [[0.0], [1.0, 2.0]], 8),
    "rewards.shape": lambda: expected_advantages([0.5, 0.5], 1.0, 8),
    "class_probs = 'x'": lambda: expected_advantages("x", [0.0, 1.0], 8),
    "class_probs.shape": lambda: expected_advantages(np.zeros((3, 0)), [0.0, 1.0], 8),
    "sum of class_probs": lambda: expected_advantages(np.array([1 / 3, 2 / 3 + 1e-7]), [0.0, 1.0], 8),
    f"group_size = {10**15}": lambda: expected_advantages([0.5, 0.5], [0.0, 1.0], 10**15),
    "group_size = '8'": lambda: expected_advantages([0.5, 0.5], [0.0, 1.0], "8"),
    "std_eps = -1": lambda: expected_advantages([0.5, 0.5], [0.0, 1.0], 8, std_eps=-1),
    "scale = 3": lambda: expected_advantages([0.5, 0.5], [0.0, 1.0], 8, scale=3),
    "method = 'fast'": lambda: expected_advantages([0.5, 0.5], [0.0, 1.0], 8, method="fast"),
    "different rewards": lambda: advantage_function(np.arange(30_000) / 30_000, 64),
    "class_probs.shape = (2,)": lambda: advantage_function([0.0, 0.4, 1.0], 3)([0.5, 0.5]),
    "class_probs.shape = (0, 2)": lambda: quadrature_error(np.zeros((0, 2)), [0.0, 1.0], 8),
    " apart": lambda: square_function([0.0, 1e200], 8, GroupAdvantage(scale="none")),
    "advantage = None": lambda: square_function([0.0, 1.0], 8, None),
    "rts = [nan": lambda: rule_advantage_function(SPO, [NAN, 1.0]),
    "rts = [1.5": lambda: rule_advantage_function(SPO, [1.5, 1.0]),
    "rts.shape": lambda: rule_advantage_function(SPO, 0.5),
    # Chains and other worlds
    "step_success = 'abc'": lambda: ReasoningChain(step_success="abc"),
    "step_success = [[0.5": lambda: ReasoningChain(step_success=[[0.5], [0.5, 0.4]]),
    "step_success = [nan": lambda: ReasoningChain(step_success=[0.5, NAN]),
    "logits = ": lambda: ReasoningChain(logits=[0.0, NAN]),
    "step_lengths = 'long'": lambda: ReasoningChain(step_success=[0.5, 0.5], step_lengths="long"),
    "group_size = 0": lambda: Q.all_negative(0),
    "horizon = 1000000": lambda: ReasoningChain(logits=np.zeros(10**6)).world(),
    "world = None": lambda: expected_update(None, GRPO),
    "world = 0.5": lambda: expected_update(0.5, GRPO),
    "horizon = True": lambda: confusion(True),
    "miss = 'x'": lambda: confusion(2, miss="x"),
    "false_alarm = nan": lambda: confusion(2, false_alarm=NAN),
    "confusion_matrix.shape": lambda: judged_world(Q, np.eye(2)),
    "confusion_matrix = ": lambda: judged_world(Q, np.ones((2, 3))),
    "logits.shape = (3,)": lambda: judged_update_function(Q, GRPO)([0.0, 0.0, 0.0], confusion(2)),
    "chain = None": lambda: expected_update_judged(None, GRPO),
    "after_error.shape": lambda: expected_update_normalized(Q, GRPO, [1.0, 2.0, 3.0]),
    "after_error = 'x'": lambda: expected_update_normalized(Q, GRPO, "x"),
    "normalization = 'half'": lambda: expected_update_normalized(Q, GRPO, 1.0, "half"),
    "groups = 0": lambda: expected_update_normalized(Q, GRPO, 1.0, groups=0),
    "choice = 'x'": lambda: many_paths_world("x", [[0.5]]),
    "logits = 'x'": lambda: option_world("x"),
    "logits.shape = (3, 1)": lambda: option_world(np.zeros((3, 1))),
    # Expected updates and their spread
    "rule = None": lambda: expected_update(Q, None),
    "rule = 'grpo'": lambda: expected_update(Q, "grpo"),
    "method = 'best'": lambda: expected_update(Q, GRPO, "best"),
    "nearer to 0": lambda: expected_update(ReasoningChain(logits=[-800.0]), rule("lens", group_size=2)),
    "logits.shape = (1,)": lambda: update_function(Q, GRPO)([0.0]),
    "now.shape": lambda: surrogate_gradient_function(Q, GRPO)([0.0, 0.0], [0.0]),
    "engine = 'best'": lambda: expectation(Q, GRPO, "best"),
    "groups = 1": lambda: expectation(Q, GRPO, "monte_carlo", groups=1),
    f"seed = {2**63}": lambda: expectation(Q, GRPO, "monte_carlo", seed=2**63),
    "questions = True": lambda: batch_covariance(Q, GRPO, questions=True),
    "questions = 0": lambda: signal_to_noise(Q, GRPO, questions=0),
    # Dynamics
    "chain = 'x'": lambda: solve("x", GRPO, 3),
    "steps = True": lambda: solve(Q, GRPO, True),
    "steps = '3'": lambda: solve(Q, GRPO, "3"),
    f"steps = {10**9}": lambda: solve(TWO, GRPO, 10**9),
    "learning_rate = 'fast'": lambda: solve(Q, GRPO, 3, learning_rate="fast"),
    "learning_rate = nan": lambda: solve(Q, GRPO, 3, learning_rate=NAN),
    "optimizer = None": lambda: solve(Q, GRPO, 3, optimizer=None),
    "kernel = 'x'": lambda: solve(Q, GRPO, 3, kernel="x"),
    "kernel = [[nan": lambda: solve(Q, GRPO, 3, kernel=np.full((2, 2), NAN)),
    "kernel.shape": lambda: solve(Q, GRPO, 3, kernel=np.eye(3)),
    "features = [[nan": lambda: solve(Q, GRPO, 3, optimizer="adam", features=np.full((2, 2), NAN)),
    "features.shape": lambda: solve(Q, GRPO, 3, optimizer="adam", features=np.eye(3)),
    "gradient_variance.shape": lambda: solve(Q, GRPO, 3, **WORDS, gradient_variance=np.ones(3)),
    "gradient_variance = [-1": lambda: solve(Q, GRPO, 3, **WORDS, gradient_variance=-np.ones(2)),
    "gradient_variance = [nan": lambda: solve(Q, GRPO, 3, **WORDS, gradient_variance=np.full(2, NAN)),
    "reusable = 'yes'": lambda: solve(Q, GRPO, 3, reusable="yes"),
    "level = 1.5": lambda: escape_map(Q, GRPO, 3, level=1.5),
    "column = 'q'": lambda: updates_to(solve(Q, GRPO, 1), column="q"),
    "value.shape": lambda: first_reach(np.arange(3), np.arange(2), 0.5),
    "duration = inf": lambda: flow(Q, GRPO, float("inf")),
    "points = 1": lambda: flow(Q, GRPO, 1.0, points=1),
    "longest = nan": lambda: flow_time(Q, GRPO, longest=NAN),
    "paths = 0": lambda: diffuse(Q, GRPO, 3, paths=0),
    "seed = -1": lambda: diffuse(Q, GRPO, 3, seed=-1),
    "groups = True": lambda: sampled_update(Q, GRPO, True),
    "chain = ReasoningChain": lambda: sampled_update(TWO, GRPO, 10),
    "seeds = []": lambda: simulate(Q, GRPO, 3, seeds=[]),
    "seeds = [0, 0]": lambda: simulate(Q, GRPO, 3, seeds=[0, 0]),
    "seeds = 0": lambda: simulate(Q, GRPO, 3, seeds=0),
    "seeds = 'x'": lambda: solve_clipped(Q, GRPO, 3, seeds="x"),
    f"questions = {10**9}": lambda: simulate(Q, GRPO, 3, questions=10**9),
    "learning_rate = inf": lambda: solve_options([[0.0, 0.0]], GRPO, 3, learning_rate=float("inf")),
    "group_size = 1": lambda: escape_time(Q, 1),
    "group_size = 2.5": lambda: escape_time(Q, 2.5),
    "kernel = [[-1.0": lambda: escape_time(Q, 8, kernel=-np.eye(2)),
    "success = nan": lambda: fewest_updates(NAN, 3, 8),
    "learning_rate = -1": lambda: fewest_updates(0.1, 3, 8, -1),
    "step_success = 1.0": lambda: pair_colouring_time(1.0, 3),
    "chain = 0.9": lambda: collapse_rate(0.9, GRPO, np.eye(2)),
    "level = nan": lambda: collapse_rate(Q, GRPO, np.eye(2), level=NAN),
    "rule = 'hints'": lambda: lone_failure_update(Q, rule("hints", group_size=2)),
    # Published results
    "p = [-0.5]": lambda: mean_group_std(8, -0.5),
    "group_size = 2.5 ": lambda: mean_group_std(2.5, 0.5),
    "reference = array": lambda: kl_fixed_point(np.array([0.5, 0.4]), 1.0),
    "rounds = 0": lambda: kl_fixed_point(0.5, 1.0, rounds=0),
    "right = 'x'": lambda: noisy_bandit_flow([0.0, 0.0], "x", 1.0, 0.0),
    "gap = 'x'": lambda: largest_safe_rate("x", 2),
    "chain = [800": lambda: gradient_gap(ReasoningChain(logits=[800.0, 800.0])),
    "scores = 'x'": lambda: u_statistic("x", [1.0, 0.0]),
    # Evaluation
    "confidence = 1.0": lambda: interval(np.zeros((1, 3)), np.ones((1, 3)), confidence=1.0),
    "confidence = 2.0": lambda: interval(np.zeros((1, 3)), np.ones((1, 3)), confidence=2.0),
    "below.shape": lambda: interval(np.zeros((1, 3)), np.ones((1, 2))),
    "above.shape": lambda: interval(np.zeros(3), np.ones(3)),
    "above = [[nan": lambda: interval(np.full((1, 3), NAN), np.ones((1, 3))),
    "resamples = 0": lambda: interval(np.zeros((1, 3)), np.ones((1, 3)), resamples=0),
    "k = 0": lambda: pass_at_k(np.array([1]), 3, 0),
    "samples = '3'": lambda: pass_at_k(np.array([1]), "3", 1),
}


@pytest.mark.parametrize("named", list(CASES))
def test_bad_input_is_refused_by_name(named):
    with pytest.raises(InputError) as refused:
        CASES[named]()
    assert named in str(refused.value)
    assert all(" is not allowed" in line or "are not allowed" in line for line in str(refused.value).splitlines())


FIELDS = [
    {"horizon": True},
    {"horizon": 0},
    {"horizon": 1024},
    {"modulus": 10.0},
    {"start_accuracy": "0.5"},
    {"start_accuracy": NAN},
    {"output_scale": "6"},
    {"output_scale": NAN},
    {"checkpoint": 3},
    {"cache_dir": 3},
    {"device": 3},
    {"group_size": "8"},
    {"group_size": 2**40},
    {"rule": 3},
    {"rule": ["spo"]},
    {"suites": 3},
    {"suites": ("add", "add")},
    {"seed": 2**63},
    {"start_seed": -1},
    {"questions": True},
    {"temperature": 0.0},
    {"layers": 10**10},
    {"learning_rate": "fast"},
    {"kl_coef": NAN},
    {"max_grad_norm": 0},
    {"optimizer": ["sgd"]},
    {"progress": 1},
    {"judge": "noisy", "miss": NAN},
    {"judge": "learned", "judge_updates": 0},
    {"mode": "offline", "stored_batches": 0},
]


@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_bad_settings_of_a_run_are_refused_by_name(fields):
    name, value = list(fields.items())[-1]
    lines = TrainConfig(**fields).problems()
    assert [line for line in lines if line.startswith((f"{name} = {value!r}", f"suite = {value!r}"))], lines


@pytest.mark.parametrize(
    "fields",
    [{"samples": 0}, {"ks": (0,)}, {"ks": 3}, {"update_rule": "grpo"}, {"confidence": 1.0},
     {"temperature": NAN}, {"seed": 2**63}, {"resamples": 10**12}, {"stream": 3}, {"questions": 10**9}],
    ids=str,
)  # fmt: skip
def test_bad_settings_of_an_evaluation_are_refused_by_name(fields):
    [(name, value)] = fields.items()
    assert [line for line in Evaluation(**fields).problems() if line.startswith(f"{name} = {value!r}")]


@pytest.mark.parametrize("whole", [np.int64(4), np.int32(4)])
def test_whole_numbers_of_numpy_are_whole_numbers(whole):
    """Everywhere, with the same results as Python's own."""
    assert rule("grpo", group_size=whole) == rule("grpo", group_size=4)
    assert solve(Q, GRPO, whole).equals(solve(Q, GRPO, 4))
    assert escape_time(Q, whole) == escape_time(Q, 4)
    assert TrainConfig(horizon=whole) == TrainConfig(horizon=4)
    assert type(TrainConfig(horizon=whole).horizon) is int
    assert not TrainConfig(horizon=whole).problems()
