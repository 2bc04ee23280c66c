"""Every method of another paper against its formula, written out in plain Python for one group."""

from dataclasses import dataclass, replace
from itertools import combinations, combinations_with_replacement, permutations
from math import exp, log1p
from statistics import fmean, pstdev, stdev

import numpy as np
import pytest

from spo_theory import InputError, rule
from spo_theory.group import Group
from spo_theory.parts.across import VariancePenalty
from spo_theory.parts.credit import TokenMean
from spo_theory.parts.rewards import Outcome
from spo_theory.parts.shaped_rewards import Aligned, OverlongPenalty


@dataclass(frozen=True)
class Response:
    """One response as plain numbers: correct, right steps before the first error, lengths and log-probs of steps."""

    correct: bool
    first_error: int
    lengths: list
    log_prob: list


TRUE = [2.0, 1.0, 3.0]


def sampled(size=4, questions=60, seed=0):
    """Random groups, each as a list of responses; the first two are all-positive and all-negative."""
    random = np.random.default_rng(seed)
    groups = []
    for number in range(questions):
        first = random.integers(0, 4, size)
        if number < 2:
            first = np.full(size, 3) if number == 0 else random.integers(0, 3, size)
        lengths = random.integers(1, 9, (size, 3)).astype(float)
        log_prob = -random.exponential(0.7, (size, 3)) - 0.01
        groups.append(
            [Response(k == 3, int(k), list(n), list(p)) for k, n, p in zip(first, lengths, log_prob, strict=True)]
        )
    return groups


def as_group(responses):
    """The same responses as the arrays that a method sees."""
    return Group(
        np.array([r.correct for r in responses]),
        np.array([r.first_error for r in responses]),
        np.array([r.lengths for r in responses]),
        true_lengths=np.tile(TRUE, (len(responses), 1)),
        log_prob=np.array([r.log_prob for r in responses]),
    )


def z_scores(numbers):
    mean, std = fmean(numbers), pstdev(numbers)
    return [(x - mean) / std if std > 1e-12 else 0.0 for x in numbers]


def same_for_all_steps(advantages):
    return [[a] * 3 for a in advantages]


def rloo(group):
    total = sum(r.correct for r in group)
    return same_for_all_steps([r.correct - (total - r.correct) / (len(group) - 1) for r in group])


def maxrl(group):
    mean = fmean(r.correct for r in group)
    return same_for_all_steps([(r.correct - mean) / mean if mean else 0.0 for r in group])


def dapo(group):
    """Rewards of +1 and -1 and the soft punishment; every token over the number of tokens of the group."""
    if len({r.correct for r in group}) == 1:
        return same_for_all_steps([0.0] * len(group))
    longest, cache = 2.0 * sum(TRUE), 0.4 * sum(TRUE)
    rewards = []
    for r in group:
        length = sum(r.lengths)
        if length <= longest - cache:
            punishment = 0.0
        elif length <= longest:
            punishment = (longest - cache - length) / cache
        else:
            punishment = -1.0
        rewards.append((1 if r.correct else -1) + punishment)
    tokens = sum(sum(r.lengths) for r in group)
    # The contract divides by G, the formula by all tokens; lengths count in those of the right response
    return same_for_all_steps([a * len(group) * sum(TRUE) / tokens for a in z_scores(rewards)])


def grpo_process(group):
    """All step rewards of the group standardized together; a step gets the sum of those from it on."""
    flat = iter(z_scores([float(s < r.first_error) for r in group for s in range(3)]))
    of_steps = [[next(flat) for _ in range(3)] for _ in group]
    return [[sum(row[s:]) for s in range(3)] for row in of_steps]


def aligned(group):
    if any(r.correct for r in group):
        return same_for_all_steps(z_scores([float(r.correct) for r in group]))
    success = []
    for s in range(3):
        right = sum(r.first_error > s for r in group) + 0.5
        wrong = sum(r.first_error == s for r in group) + 0.5
        success.append(right / (right + wrong))
    rewards = []
    for r in group:
        gain = sum((1 - success[s]) ** 2 for s in range(r.first_error))
        rewards.append(gain - success[r.first_error] * (1 - success[r.first_error]))
    return same_for_all_steps(z_scores(rewards))


def pass_at_k(group):
    """Of all pairs with another response of the group: how often this one makes the difference, times k = 2."""
    others = [[other for other in group if other is not r] for r in group]
    return same_for_all_steps(
        [2 * fmean(r.correct > o.correct for o in rest) for r, rest in zip(group, others, strict=True)]
    )


def corpo(group):
    baseline = max(fmean(r.correct for r in group), 0.5)
    return same_for_all_steps([r.correct - baseline for r in group])


def reinforce(group):
    return same_for_all_steps([1.0 if r.correct else -1.0 for r in group])


def raft_pp(group):
    return same_for_all_steps([1.0 if r.correct else 0.0 for r in group])


def best_of_n(group):
    """One best response is drawn; the weights are their mean over the draws."""
    best = [i for i, r in enumerate(group) if r.correct == max(x.correct for x in group)]
    return same_for_all_steps([len(group) / len(best) if i in best else 0.0 for i in range(len(group))])


def rwr(group):
    return same_for_all_steps([exp(1.0) if r.correct else 1.0 for r in group])


def pref_ft(group):
    """The mean over unordered pairs of the log-likelihood of the better one, times G for the contract."""
    pairs = list(combinations(range(len(group)), 2))
    won = [0.0] * len(group)
    for i, j in pairs:
        if group[i].correct != group[j].correct:
            won[i if group[i].correct else j] += len(group) / len(pairs)
    return same_for_all_steps(won)


def dpo(group):
    """Every pair of a right and a wrong response pulls them apart alike where no log-ratio has changed."""
    wrong = sum(not r.correct for r in group)
    beaten = [wrong if r.correct else wrong - len(group) for r in group]
    return same_for_all_steps([number / (len(group) - 1) for number in beaten])


ipo = dpo


def unlikeliness(group):
    """Rank 0 is the most probable; verl's std (over G - 1, plus 1e-6); only where outcomes differ."""
    if len({r.correct for r in group}) == 1:
        return same_for_all_steps([0.0] * len(group))
    order = sorted(range(len(group)), key=lambda i: -sum(group[i].log_prob))
    rewards = [0.0] * len(group)
    for rank, i in enumerate(order):
        rewards[i] = group[i].correct * (1 - 0.25 * (len(group) - rank) / len(group))
    mean = fmean(rewards)
    return same_for_all_steps([(x - mean) / (stdev(rewards) + 1e-6) for x in rewards])


def token_weighted(group):
    """Graded reward, and weights by the share of pairs of responses that are in different states."""
    rewards = [sum(r.lengths[: r.first_error]) / sum(r.lengths) for r in group]
    spread = []
    for s in range(3):
        right = sum(r.first_error >= s for r in group) / len(group)
        spread.append(1 - right**2 - (1 - right) ** 2)
    low, high = min(spread), max(spread)
    weight = [1 + 0.7 * (d - low) / (high - low) if high > low else 1.0 for d in spread]
    return [[a * w for w in weight] for a in z_scores(rewards)]


def multi_objective(group):
    rewards = []
    for r in group:
        prefix = sum(r.lengths[: r.first_error]) / sum(r.lengths)
        rewards.append(r.correct + 0.5 * prefix - 0.1 * sum(r.lengths) / sum(TRUE))
    return same_for_all_steps(z_scores(rewards))


def step_dpo(group):
    """At every depth that a right and a wrong step share, one averaged pair: it pulls both alike."""
    weights = [[0.0] * 3 for _ in group]
    for s in range(3):
        right = [i for i, r in enumerate(group) if r.first_error > s]
        wrong = [i for i, r in enumerate(group) if r.first_error == s]
        for i in right if wrong else []:
            weights[i][s] = len(group) / 2 / len(right)
        for j in wrong if right else []:
            weights[j][s] = -len(group) / 2 / len(wrong)
    return weights


def group_invariant(group):
    return rloo(group)


FORMULAS = {
    f.__name__: f
    for f in (
        aligned, best_of_n, corpo, dapo, dpo, grpo_process, maxrl, pass_at_k, pref_ft, raft_pp, reinforce, rloo, rwr,
        group_invariant, multi_objective, step_dpo, token_weighted, unlikeliness,
    )
} | {"ipo": ipo}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_weights_on_fresh_rollouts_are_the_formula(name):
    method = rule(name, group_size=4)
    for group in sampled():
        found = method.weights(as_group(group))
        np.testing.assert_allclose(found, FORMULAS[name](group), rtol=1e-11, atol=1e-12)


def log_sigmoid(x):
    return -log1p(exp(-x))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dpo", lambda gap: 2 / 0.3 * log_sigmoid(0.3 * gap)),
        ("ipo", lambda gap: -0.3 * (gap - 1 / 0.6) ** 2),
    ],
)
def test_pairs_are_compared_with_the_reference_policy(name, value):
    """The value over all pairs of a right and a wrong response, log-ratios to the reference in every one of them."""
    method = rule(name, group_size=4, **{"dpo": {"beta": 0.3}, "ipo": {"tau": 0.3}}[name])
    random = np.random.default_rng(5)
    for responses in sampled(questions=20, seed=4):
        reference = -random.exponential(0.7, (4, 3))
        moved = random.normal(0, 0.3, (4, 3))
        group = replace(as_group(responses), reference_log_prob=reference)
        total = (group.log_prob + moved - reference).sum(-1)
        pairs = permutations(range(4), 2)
        won = [(i, j) for i, j in pairs if responses[i].correct and not responses[j].correct]
        want = sum(value(total[i] - total[j]) for i, j in won) / 12
        assert method.value(group, moved) == pytest.approx(want, rel=1e-12, abs=1e-14)
        by_sampling = rule(name, group_size=4, reference="sampling")
        unmoved = by_sampling.weights(group)
        np.testing.assert_allclose(unmoved, FORMULAS[name](responses), rtol=1e-14)


def test_rewards_are_normalized_one_by_one():
    """The same components, each standardized before the sum; then over the batch (GDPO)."""
    method = rule("multi_objective", group_size=4, order="normalize_first", brevity_weight=0.3)
    found = []
    for group in sampled():
        prefix = [sum(r.lengths[: r.first_error]) / sum(r.lengths) for r in group]
        length = [-sum(r.lengths) / sum(TRUE) for r in group]
        parts = zip(*map(z_scores, ([float(r.correct) for r in group], prefix, length)), strict=True)
        found.append([a + 0.5 * b + 0.3 * c for a, b, c in parts])
        np.testing.assert_allclose(method.weights(as_group(group))[:, 0], found[-1], rtol=1e-11, atol=1e-12)
    again = rule("multi_objective", group_size=4, order="normalize_first_then_batch", brevity_weight=0.3)
    batch = [as_group(group) for group in sampled()]
    together = Group(*(np.stack([getattr(group, f) for group in batch]) for f in ("correct", "first_error", "lengths")))
    together = replace(together, true_lengths=np.array([[TRUE]]))
    spread = pstdev([a for group in found for a in group])
    np.testing.assert_allclose(again.question_weights(together), np.full(len(batch), 1 / spread), rtol=1e-11)


def test_the_penalty_on_the_gap_is_its_derivative():
    """Weights of questions against differences of mean reward less the variance between two kinds."""
    rewards = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])

    def value(means):
        good = means > means.mean()
        return means.mean() - 0.8 * (means[good].mean() - means[~good].mean()) ** 2 / 4

    weights = VariancePenalty(0.8)(rewards, rewards)
    for question in range(4):
        step = np.where(np.arange(4) == question, 1e-6, 0.0)
        slope = (value(rewards.mean(1) + step) - value(rewards.mean(1) - step)) / 2e-6
        assert weights[question] == pytest.approx(4 * slope, rel=1e-7)
    np.testing.assert_array_equal(VariancePenalty(0.8)(rewards[[1, 1]], rewards[[1, 1]]), [1.0, 1.0])


@pytest.mark.parametrize("smoothing", [False, True])
def test_step_pairs_off_policy_and_smoothed(smoothing):
    """The value written out, doubt by the share of wrong siblings; its derivative by differences."""
    method = rule("step_dpo", group_size=4, beta=0.7, smoothing="visits" if smoothing else "none")
    random = np.random.default_rng(8)
    for responses in sampled(questions=15, seed=6):
        group = as_group(responses)
        ratio = random.normal(0, 0.4, (4, 3))

        def value(x, responses=responses):
            total = 0.0
            for s in range(3):
                right = [i for i, r in enumerate(responses) if r.first_error > s]
                wrong = [i for i, r in enumerate(responses) if r.first_error == s]
                pairs = [(i, j) for i in right for j in wrong]
                doubt = min(len(wrong) / (len(right) + len(wrong)), 0.5) if smoothing and pairs else 0.0
                for i, j in pairs:
                    gap = 0.7 * (x[i, s] - x[j, s])
                    total += ((1 - doubt) * log_sigmoid(gap) + doubt * log_sigmoid(-gap)) / 0.7 / len(pairs)
            return total

        assert method.value(group, ratio) == pytest.approx(value(ratio), rel=1e-12, abs=1e-14)
        weights = method.weights(group, ratio)
        for place in np.ndindex(4, 3):
            step = np.zeros((4, 3))
            step[place] = 1e-6
            slope = (value(ratio + step) - value(ratio - step)) / 2e-6
            assert weights[place] == pytest.approx(4 * slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_pass_at_k_counts_all_sets_of_others(k):
    """k times the share of the sets of k - 1 others that all fail, whatever k; on groups of five."""
    for group in sampled(size=5, questions=30, seed=2):
        found = rule("pass_at_k", group_size=5, k=k).weights(as_group(group))[:, 0]
        for r, advantage in zip(group, found, strict=True):
            sets = list(combinations([other for other in group if other is not r], k - 1))
            share = fmean(not any(o.correct for o in others) for others in sets)
            assert advantage == pytest.approx(k * share * r.correct)


def test_aligned_colours_of_the_policy_are_the_gain_in_log_success():
    """The reward of a response is the derivative of log success along its score, here by finite differences."""
    logits = np.array([0.3, -0.8, 1.1])
    right = 1 / (1 + np.exp(-logits))
    taken = np.array([[right[s] if s < k else 1 - right[s] if s == k else 1.0 for s in range(3)] for k in range(4)])
    first = np.arange(4)
    group = Group(first == 3, first, np.ones((4, 3)), log_prob=np.log(taken))
    rewards = Aligned(scope="all_incorrect", estimate="policy")(group)

    def log_success(x):
        return -np.log1p(np.exp(-x)).sum()

    for k in range(4):
        score = np.array([1 - right[s] if s < k else -right[s] if s == k else 0.0 for s in range(3)])
        slope = (log_success(logits + 1e-6 * score) - log_success(logits - 1e-6 * score)) / 2e-6
        assert rewards[k] == pytest.approx(slope, rel=1e-8, abs=1e-10)


def test_no_other_standardized_reward_gains_more_than_aligned_ones():
    """In every single group of four: the statement of docs/theory/related.md#aligned against 200 random rewards."""
    random = np.random.default_rng(7)
    q = np.array([0.3, 0.8, 0.6])
    gains = [sum((1 - q[:k]) ** 2) - (q[k] * (1 - q[k]) if k < 3 else 0.0) for k in range(4)]
    step = np.arange(3)
    for classes in combinations_with_replacement(range(4), 4):
        first = np.array(classes)
        taken = np.where(step < first[:, None], q, np.where(step == first[:, None], 1 - q, 1.0))
        group = Group(first == 3, first, np.ones((4, 3)), log_prob=np.log(taken))
        best = rule("aligned", group_size=4, scope="all_incorrect", estimate="policy").group_advantages(group)
        gain = np.array(gains)[first]
        others = [np.array(z_scores(random.normal(size=4))) for _ in range(200)]
        assert best @ gain >= max(other @ gain for other in others) - 1e-12
        assert best @ gain == pytest.approx(4 * gain.std(), abs=1e-12)


def test_responses_that_do_not_count_change_nothing():
    for name in sorted(FORMULAS.keys() - {"dpo", "ipo", "step_dpo"}):  # objectives on pairs refuse them
        for group in sampled(size=5, questions=20, seed=3):
            whole = as_group(group)
            valid = np.array([True, True, False, True, True])
            masked = Group(whole.correct, whole.first_error, whole.lengths, whole.true_lengths, whole.log_prob, valid)
            rest = as_group([r for r, counts in zip(group, valid, strict=True) if counts])
            found = rule(name, group_size=5).weights(masked)
            # The group's gradient is a mean over G responses, also over those that do not count
            np.testing.assert_allclose(found[valid], rule(name, group_size=4).weights(rest), rtol=1e-12, atol=1e-12)
            assert not found[~valid].any()


def test_a_group_without_lengths_of_steps_is_refused():
    group = Group(np.array([True, False]), np.array([2, 0]), np.array([2, 2]))
    with pytest.raises(InputError, match="lengths = 'of 1 axes'"):
        Aligned()(group)
    with pytest.raises(InputError, match="lengths = 'of 1 axes'"):
        TokenMean()(group, np.ones(2))


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: OverlongPenalty(Outcome(), max_length=0.0), "max_length = 0.0"),
        (lambda: OverlongPenalty(Outcome(), max_length=1.0, cache=2.0), "cache = 2.0"),
        (lambda: Aligned(prior=-1.0), "prior = -1.0"),
        (lambda: Aligned(estimate="both"), "estimate = 'both'"),
        (lambda: rule("dapo", most_batches=0), "most_batches = 0"),
        (lambda: rule("pass_at_k", group_size=3, k=4), "k = 4"),
        (lambda: rule("pass_at_k", k=0), "k = 0"),
        (lambda: rule("corpo", threshold=float("nan")), "threshold = nan"),
        (lambda: rule("reinforce", normalize="all"), "normalize = 'all'"),
        (lambda: rule("rwr", reward_temperature=0.0), "temperature = 0.0"),
        (lambda: rule("dpo", beta=0.0), "beta = 0.0"),
        (lambda: rule("ipo", tau=-1.0), "tau = -1.0"),
        (lambda: rule("ipo", reference="old"), "reference = 'old'"),
        (lambda: rule("unlikeliness", strength=2.0), "strength = 2.0"),
        (lambda: rule("token_weighted", alpha=0.5), "alpha = 0.5"),
        (lambda: rule("step_dpo", nodes="all"), "nodes = 'all'"),
        (lambda: rule("step_dpo", beta=-1.0), "beta = -1.0"),
        (lambda: rule("step_dpo", smoothing="some"), "smoothing = 'some'"),
        (lambda: rule("multi_objective", order="sum"), "order = 'sum'"),
        (lambda: rule("multi_objective", prefix_weight=float("inf")), "prefix_weight = inf"),
        (lambda: rule("group_invariant", strength=-1.0), "strength = -1.0"),
        (lambda: rule("token_weighted", reward="hard"), "reward = 'hard'"),
    ],
)
def test_bad_settings_are_named(build, named):
    with pytest.raises(InputError, match=named):
        build()
