"""Every registered method in the trainer: its loss is its objective's value, its gradient the step weights."""

from dataclasses import dataclass, replace
from itertools import permutations

import pandas as pd
import pytest
import torch
from free_form import Memoryless

from spo_theory import InputError, rule
from spo_theory.group import Group
from spo_theory.parts.objectives import Clipped, LogLikelihood, PairLogistic, PairRegression, PairSquare
from spo_theory.parts.step_pairs import StepPairLogistic
from toy_llm import TrainConfig, train
from toy_llm.evaluation import Evaluation, evaluate
from toy_llm.network.tabular import TabularPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.training import checkpoint
from toy_llm.training.loop import updates
from toy_llm.training.losses import policy_loss
from toy_llm.training.resampling import delivered
from toy_llm.training.rollout import collect, sample_and_judge, score
from toy_llm.training.steps import batch_loss, minibatches

NAMES = rule.names()
QUESTIONS, GROUP = 24, 4


# Values of objectives, written out from their formulas for one group: advantages (G,), credit and log-ratios (G, T),
# written (G, T)


def clipped_value(part, advantages, credit, log_ratio, written):
    ratio = (log_ratio * written).exp()
    if part.ratio == "sequence":
        ratio = (log_ratio * written).sum(-1).exp()
        surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - part.clip_low, 1 + part.clip_high) * advantages)
        return surrogate.mean()
    surrogate = torch.minimum(ratio * credit, ratio.clamp(1 - part.clip_low, 1 + part.clip_high) * credit)
    return (surrogate * written).sum(-1).mean()


def likelihood_value(part, advantages, credit, log_ratio, written):
    return (credit * log_ratio * written).sum(-1).mean()


def regression_value(part, advantages, credit, log_ratio, written):
    """Over all ordered pairs of different responses, ``-eta/4 (difference of log-ratios / eta - of advantages)^2``."""
    total = (log_ratio * written).sum(-1)
    pairs = list(permutations(range(len(total)), 2))
    squares = [((total[i] - total[j]) / part.eta - (advantages[i] - advantages[j])) ** 2 for i, j in pairs]
    return -part.eta / 4 * sum(squares) / len(pairs)


def square_value(part, advantages, credit, log_ratio, written):
    total = (log_ratio * written).sum(-1)
    pairs = [(i, j) for i, j in permutations(range(len(total)), 2) if advantages[i] > advantages[j]]
    terms = [(total[i] - total[j] - 1 / (2 * part.tau)) ** 2 for i, j in pairs]
    return -part.tau * sum(terms, torch.zeros(())) / (len(total) * (len(total) - 1))


def step_pairs_value(part, advantages, credit, log_ratio, written):
    """Token by token: all pairs of a right and a wrong one, their mean."""
    value = torch.zeros(())
    for token in range(credit.shape[1]):
        right = [i for i in range(len(credit)) if credit[i, token] > 0 and written[i, token]]
        wrong = [i for i in range(len(credit)) if credit[i, token] < 0 and written[i, token]]
        for i in right:
            for j in wrong:
                gap = log_ratio[i, token] - log_ratio[j, token]
                value = value + torch.nn.functional.logsigmoid(part.beta * gap) / part.beta / len(right) / len(wrong)
    return value


def logistic_value(part, advantages, credit, log_ratio, written):
    total = (log_ratio * written).sum(-1)
    pairs = [(i, j) for i, j in permutations(range(len(total)), 2) if advantages[i] > advantages[j]]
    terms = [torch.nn.functional.logsigmoid(part.beta * (total[i] - total[j])) for i, j in pairs]
    return 2 / part.beta * sum(terms, torch.zeros(())) / (len(total) * (len(total) - 1))


VALUES = {
    Clipped: clipped_value,
    LogLikelihood: likelihood_value,
    PairRegression: regression_value,
    PairLogistic: logistic_value,
    PairSquare: square_value,
    StepPairLogistic: step_pairs_value,
}
"""By the kind of objective; a new kind belongs here too."""


def off_policy(policy, batch, size=0.8):
    """Move the policy away from the one that sampled the batch, so that ratios differ from 1 and clips act."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return policy.log_probs(batch.prompts, batch.answers, batch.rollout.responses)


def policies():
    return {"chain": TabularPolicy(ChainTask(3, 3), [0.7, 0.6, 0.7]), "free form": Memoryless()}


def scored(update_rule, kind):
    policy = policies()[kind]
    batch = collect(policy, policy.task, update_rule, QUESTIONS, "test", 0, 0)
    if update_rule.objective.uses_reference:
        generator = torch.Generator().manual_seed(2)
        noise = 0.3 * torch.randn(batch.mask.shape, generator=generator, dtype=torch.float64)
        batch = replace(batch, start_log_probs=batch.rollout.log_probs + noise)
    return policy, batch


def compared(update_rule, batch):
    """The log-probabilities of what the objective takes log-ratios against."""
    return batch.start_log_probs if update_rule.objective.uses_reference else batch.rollout.log_probs


def credit_of_tokens(update_rule, batch, task):
    """The advantage of every token, from the contract alone."""
    verdict = batch.verdict
    true_lengths = task.judge(batch.answers[:, None], batch.answers).step_lengths
    log_prob = torch.zeros(verdict.step_lengths.shape, dtype=torch.float64)
    log_prob.scatter_add_(-1, verdict.token_step, batch.rollout.log_probs * verdict.mask)
    given = (verdict.correct, verdict.first_error, verdict.step_lengths, true_lengths, log_prob)
    group = Group(*given, dtype=torch.float64, reference_log_prob=batch.start_log_probs)
    if batch.asked is not None:
        step = torch.arange(verdict.step_lengths.shape[-1])
        own = (step >= batch.asked.given[:, None, None]) & (step < batch.asked.until[:, None, None])
        taught = batch.asked.taught[:, None].expand(verdict.correct.shape)
        group = replace(group, learnt=own.expand(verdict.step_lengths.shape), taught=taught)
    of_steps = update_rule.step_credit(group)
    return update_rule.group_advantages(group), of_steps.gather(-1, verdict.token_step), group


def how_much(update_rule, group):
    """How much each question of a batch counts ``(Q,)``."""
    found = update_rule.question_weights(group)
    return torch.ones(len(group.correct), dtype=torch.float64) if found is None else found


def methods():
    """Every registered method, and parts that no method uses by default."""
    cases = {name: rule(name, group_size=GROUP) for name in NAMES}
    cases["shared ratios"] = replace(rule("grpo", group_size=GROUP), objective=Clipped(0.1, 0.1, "sequence"))
    cases["logistic on pairs"] = replace(rule("rebel", group_size=GROUP), objective=PairLogistic(0.5))
    return cases


@pytest.mark.parametrize("kind", ["chain", "free form"])
@pytest.mark.parametrize("name", methods())
def test_the_loss_is_the_value_and_its_gradient_the_weights(name, kind):
    """Where the policy has moved, for all groups of a batch: also those of equal rewards."""
    update_rule = methods()[name]
    policy, batch = scored(update_rule, kind)
    assert 0 < batch.correct.any(-1).sum() < QUESTIONS or batch.asked.taught.all()
    now = off_policy(policy, batch)
    parameters = list(policy.parameters())
    config = TrainConfig(rule="grpo", group_size=GROUP, questions=QUESTIONS)
    loss, clipped = batch_loss(config, policy, batch, slice(None))

    advantages, credit, group = credit_of_tokens(update_rule, batch, policy.task)
    log_ratio = now - compared(update_rule, batch)
    part = update_rule.objective
    value = VALUES[type(part)]
    values = [value(part, *one) for one in zip(advantages, credit, log_ratio, batch.mask.double(), strict=True)]
    count = how_much(update_rule, group)
    assert loss.item() == pytest.approx(-(count * torch.stack(values)).mean().item(), rel=1e-9, abs=1e-12)

    weights = count[:, None, None] * part.weights(advantages, credit, (log_ratio * batch.mask).detach())
    surrogate = (weights * now * batch.mask).sum(-1).mean()
    expected = torch.autograd.grad(surrogate, parameters, allow_unused=True)
    got = torch.autograd.grad(loss, parameters, allow_unused=True)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(-one, other, rtol=1e-9, atol=1e-12)
    assert any(one.abs().max() > 1e-3 for one in got)

    cut = (weights == 0) & (credit != 0) & batch.mask
    assert clipped == (pytest.approx((cut.sum() / batch.mask.sum()).item()) if isinstance(part, Clipped) else 0)
    # Praise alone need not reach the upper clip
    assert not isinstance(part, Clipped) or clipped > 0 or (credit >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_where_a_token_is_a_step_the_gradient_is_that_of_the_contract(name):
    """`Method.weights` and `Method.value` alone, off policy."""
    update_rule = rule(name, group_size=GROUP)
    policy, batch = scored(update_rule, "chain")
    now = off_policy(policy, batch)
    log_ratio = now - batch.rollout.log_probs
    group = credit_of_tokens(update_rule, batch, policy.task)[2]
    loss, _ = batch_loss(TrainConfig(group_size=GROUP), policy, batch, slice(None))
    count = how_much(update_rule, group)
    value = (count * update_rule.value(group, log_ratio)).mean()
    assert loss.item() == pytest.approx(-value.item(), rel=1e-9, abs=1e-12)

    weights = count[:, None, None] * update_rule.weights(group, log_ratio.detach())
    expected = torch.autograd.grad((weights * now).sum(-1).mean(), policy.logits)[0]
    torch.testing.assert_close(-torch.autograd.grad(loss, policy.logits)[0], expected, rtol=1e-9, atol=1e-12)


def fresh_batch(policy, config):
    """The batch of update 0, as the rule's sampler delivers it."""
    update_rule = config.make_rule()

    def sample(number):
        stream = "train" if number == 1 else f"train, batch {number}"
        return sample_and_judge(policy, config.sampling(), stream, 0)

    return score(policy.task, update_rule, delivered(policy.task, update_rule, sample(1), sample)[0])


@pytest.mark.parametrize("name", NAMES)
def test_several_steps_on_a_batch_are_those_of_the_weights(name):
    """Two epochs of two minibatches: the parameters of the trainer, by hand from the weights at every step."""
    config = TrainConfig(
        policy="tabular",
        horizon=3,
        start_accuracy=0.5,
        rule=name,
        group_size=GROUP,
        questions=QUESTIONS,
        updates=1,
        learning_rate=2.0,
        inner_epochs=2,
        minibatches=2,
    )
    update_rule = config.make_rule()
    task = ChainTask(3)
    trained = TabularPolicy(task, [0.5] * 3)
    rows = list(updates(config, trained))

    by_hand = TabularPolicy(task, [0.5] * 3)
    batch = fresh_batch(by_hand, config)
    count = how_much(update_rule, credit_of_tokens(update_rule, batch, task)[2])
    moved = 0.0
    for part in minibatches(config, 0):
        now = by_hand.log_probs(batch.prompts[part], batch.answers[part], batch.rollout.responses[part])
        log_ratio = (now - batch.rollout.log_probs[part]).detach()
        moved = max(moved, log_ratio.abs().max().item())
        weights = update_rule.objective.weights(batch.advantages[part], batch.token_advantages[part], log_ratio)
        weights = count[part][:, None, None] * weights
        gradient = torch.autograd.grad((weights * now).sum(-1).mean(), list(by_hand.parameters()))
        with torch.no_grad():
            for parameter, slope in zip(by_hand.parameters(), gradient, strict=True):
                parameter += config.learning_rate * slope
    assert moved > 0.05
    assert not torch.equal(by_hand.logits, TabularPolicy(task, [0.5] * 3).logits)
    torch.testing.assert_close(trained.logits, by_hand.logits, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(trained.lost, by_hand.lost, rtol=1e-9, atol=1e-12)
    assert len(rows) == 2


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("warm starts"))


@pytest.mark.parametrize("name", NAMES)
def test_the_network_trains_with_every_method(cache, name, tmp_path):
    """One start for all; the parameters move unless every step of every group has weight 0."""
    config = TrainConfig(
        horizon=2,
        modulus=5,
        layers=1,
        width=16,
        heads=2,
        start_updates=20,
        rule=name,
        group_size=GROUP,
        questions=8,
        updates=2,
        inner_epochs=2,
        minibatches=2,
        noise_every=1,
        cache_dir=cache,
        checkpoint=str(tmp_path / "run.pt"),
    )
    start = config.warm_start().make(cache, False)
    table = train(config)
    trained = checkpoint.parameters(config.checkpoint)
    silent = bool((table["zero_advantage"][:2] == 1).all())
    moved = [not torch.equal(value, trained[key]) for key, value in start.state_dict().items()]
    assert any(moved) != silent
    assert table[["grad_norm", "grad_noise"]][:2].notna().all().all()


SILENT = {
    "grpo": ("all_negative", "all_positive"),
    "dr_grpo": ("all_negative", "all_positive"),
    "rebel": ("all_negative", "all_positive"),
    "reinforce_rej": ("all_negative", "all_positive"),
    "ngrpo": ("all_positive",),
    "lens": ("all_positive",),
    "raft": ("all_negative",),
    "rloo": ("all_negative", "all_positive"),
    "maxrl": ("all_negative", "all_positive"),
    "dapo": ("all_negative", "all_positive"),
    "pass_at_k": ("all_negative", "all_positive"),
    "pref_ft": ("all_negative", "all_positive"),
    "corpo": ("all_positive",),
    "raft_pp": ("all_negative",),
    "reinforce": (),
    "best_of_n": (),
    "group_invariant": ("all_negative", "all_positive"),
    "dpo": ("all_negative", "all_positive"),
    "ipo": ("all_negative", "all_positive"),
    "unlikeliness": ("all_negative", "all_positive"),
    "rwr": (),
    "sign": (),
    "hints": ("all_negative", "all_positive"),
    "easier_questions": ("all_negative", "all_positive"),
    "imitation": ("all_negative", "all_positive"),
    "history_resampling": ("all_negative", "all_positive"),
}
"""Groups whose steps all have weight 0 on policy; for coloured rules it depends on the colours."""


@pytest.mark.parametrize("name", NAMES)
def test_every_method_is_evaluated(name):
    """Silent groups are those in which no step has a weight, not those without an advantage."""
    update_rule = rule(name, group_size=GROUP)
    how = Evaluation(questions=32, samples=8, ks=(1,), update_rule=update_rule, resamples=10)
    table = evaluate(TabularPolicy(ChainTask(3), [0.6] * 3), "chain", how).set_index("metric")["value"]
    assert table["all_negative"] > 0 < table["all_positive"]
    if name in SILENT:
        assert table["zero_advantage"] == pytest.approx(sum(table[kind] for kind in SILENT[name]))
    else:
        assert table["all_positive"] <= table["zero_advantage"] < table["all_negative"] + table["all_positive"]


@dataclass(frozen=True)
class Counting:
    """Counts how many questions pass through a policy."""

    policy: TabularPolicy
    passed: list

    def log_probs(self, prompts, answers, responses, temperature):
        self.passed.append(len(prompts))
        return self.policy.log_probs(prompts, answers, responses, temperature)


@pytest.mark.parametrize(("name", "all_of_them"), [("grpo", False), ("raft", False), ("rebel", True)])
def test_groups_are_left_out_only_if_they_cannot_be_learnt_from(name, all_of_them):
    update_rule = rule(name, group_size=GROUP)
    policy, batch = scored(update_rule, "chain")
    passed = []
    batch_loss(TrainConfig(group_size=GROUP), Counting(policy, passed), batch, slice(None))
    with_credit = int((batch.token_advantages != 0).flatten(1).any(1).sum())
    assert with_credit < QUESTIONS
    first = 0 if batch.token_advantages[0].any() else 1  # it stays, if only for zeros
    assert passed == [QUESTIONS if all_of_them else with_credit + first]


@dataclass(frozen=True)
class ByReward:
    """A question counts as much as its mean reward."""

    def __call__(self, rewards, advantages):
        return rewards.mean(-1)


def test_questions_count_as_the_method_says():
    update_rule = replace(rule("sign", group_size=GROUP), across=ByReward())
    policy, batch = scored(update_rule, "chain")
    assert torch.equal(batch.question_weights, batch.correct.double().mean(-1))
    now = off_policy(policy, batch)
    config = TrainConfig(group_size=GROUP, questions=QUESTIONS)
    loss, _ = batch_loss(config, policy, batch, torch.arange(3, 9))

    weighted = 0.0
    for question in range(3, 9):
        part = slice(question, question + 1)
        alone = policy_loss(
            update_rule.objective,
            now[part],
            batch.rollout.log_probs[part],
            batch.advantages[part],
            batch.token_advantages[part],
        )
        weighted += batch.correct[question].double().mean() * alone / 6
    assert loss.item() == pytest.approx(weighted.item())


@pytest.mark.parametrize("aggregation", ["response", "token", "constant"])
def test_one_term_a_response_can_only_be_summed(aggregation):
    with pytest.raises(InputError) as error:
        train(TrainConfig(policy="tabular", rule="rebel", aggregation=aggregation))
    assert str(error.value).startswith(
        f"aggregation = '{aggregation}' is not allowed: aggregation must be sum with Pair"
    )
    assert "\n" not in str(error.value)


def test_pairs_by_position_are_refused_where_steps_have_several_tokens():
    lines = TrainConfig(suites=("add",), rule="step_dpo").problems()
    assert lines == ["rule = 'step_dpo' is not allowed: rule must be one that compares whole responses, with suites"]


def test_a_penalty_is_added_to_one_term_a_response():
    update_rule = rule("rebel", group_size=GROUP)
    policy, batch = scored(update_rule, "free form")
    now = off_policy(policy, batch)
    start = batch.rollout.log_probs - 0.1
    given = (update_rule.objective, now, batch.rollout.log_probs, batch.advantages, batch.token_advantages)
    plain = policy_loss(*given, mask=batch.mask)
    pulled = policy_loss(*given, reference=start, kl_coef=0.5, mask=batch.mask, kl_estimator="k2")
    penalty = (0.5 * (now - start) ** 2 * batch.mask).sum(-1).mean()
    assert (pulled - plain).item() == pytest.approx(0.5 * penalty.item())


def test_inner_updates_of_a_rule_are_passes_over_each_batch():
    """The sampler's inner updates and the trainer's own setting are one thing: the curves agree to the bit."""
    base = TrainConfig(horizon=2, policy="tabular", start_accuracy=0.5, questions=8, updates=3, learning_rate=0.5)
    by_rule = train(replace(base, rule_options={"inner_updates": 2}))
    by_setting = train(replace(base, inner_epochs=2))
    once = train(base)
    columns = ["success", "success_exact", "grad_norm"]
    pd.testing.assert_frame_equal(by_rule[columns], by_setting[columns])
    assert not by_rule["success_exact"].equals(once["success_exact"])
