"""Colouring inside TRL's real trainer: a tiny random model, all groups all-negative."""

import numpy as np
import pytest
from tiny_trl import GROUP, PROMPTS, TinyTrl

from spo_theory import InputError, rule
from spo_theory.group import Group
from spo_theory.trainers.trl import ColouredReward, ColouredTrainer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of third parties, which change with versions
METHOD = rule("spo", group_size=GROUP, convention="trl")


def wrong(completions, **_):
    """No completion is correct."""
    return [0.0] * len(completions)


def small_tokens(completion_ids):
    """How many tokens at the start of each completion are below 8; they play the right prefix."""
    return [next((i for i, token in enumerate(ids) if token >= 8), len(ids)) for ids in completion_ids]


def rts(completion_ids, **_):
    """The share of a completion that its right prefix has."""
    return [right / max(len(ids), 1) for right, ids in zip(small_tokens(completion_ids), completion_ids, strict=True)]


def prefix(completion_ids, **_):
    """Tokens of the right prefix."""
    return [float(right) for right in small_tokens(completion_ids)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return TinyTrl(tmp_path_factory.mktemp("trl"))


def trained(tiny, reward_funcs, kind=None, trainer_options=None):
    """Largest change of a parameter in two updates, and the log of the trainer."""
    trainer = tiny.trainer(
        reward_funcs, kind, trainer_options, max_steps=2, logging_steps=1, save_strategy="no", learning_rate=1e-3
    )
    before = [p.detach().clone() for p in trainer.model.parameters()]
    trainer.train()
    changes = [(p.detach() - b).abs().max().item() for p, b in zip(trainer.model.parameters(), before, strict=True)]
    return max(changes), [row for row in trainer.state.log_history if "grad_norm" in row]


def coloured_trainer(tiny):
    class Trainer(ColouredTrainer, tiny.trl.GRPOTrainer):
        pass

    return Trainer


def test_all_negative_groups_teach_nothing_without_colours_and_something_with_them(tiny):
    change, log = trained(tiny, [wrong])
    assert change == 0
    assert [row["grad_norm"] for row in log] == [0.0, 0.0]

    alone, log_alone = trained(tiny, ColouredReward(METHOD, wrong, rts))
    gathered, log_gathered = trained(tiny, [wrong, rts], coloured_trainer(tiny), {"method": METHOD})
    assert alone > 0
    assert log_alone[0]["grad_norm"] > 0
    assert log_alone[0]["correct"] == 0
    # Both ways to plug it in are the same training
    assert gathered == alone
    assert [r["grad_norm"] for r in log_gathered] == [r["grad_norm"] for r in log_alone]

    prefixed = rule("spo_prefix", group_size=GROUP, convention="trl")
    by_token, _ = trained(tiny, [wrong, rts, prefix], coloured_trainer(tiny), {"method": prefixed})
    assert 0 < by_token != alone


@pytest.mark.parametrize("name", ["spo", "spo_prefix"])
def test_the_trainers_advantages_are_the_methods(tiny, name):
    method = rule(name, group_size=GROUP, convention="trl")
    # One group is mixed, so that colours stay out of it
    outcomes = np.zeros((PROMPTS, GROUP), dtype=bool)
    outcomes[1, 2] = True

    def correct(completions, **_):
        return outcomes.astype(float).ravel().tolist()

    functions = [correct, rts, prefix][: 3 if name == "spo_prefix" else 2]
    trainer = tiny.trainer(functions, coloured_trainer(tiny), {"method": method})
    trainer.model.train()
    rows = [{"prompt": f"{a}+{a + 1}="} for a in range(PROMPTS) for _ in range(GROUP)]
    batch = trainer._generate_and_score_completions(rows)

    # The same from what was sampled, by the method itself, with every token a step
    mask = batch["completion_mask"].numpy()
    ids = [row[: int(m.sum())].tolist() for row, m in zip(batch["completion_ids"], mask, strict=True)]
    first_error = np.array(small_tokens(ids)).reshape(PROMPTS, GROUP)
    lengths = mask.reshape(PROMPTS, GROUP, -1).astype("float32")
    expected = method.step_credit(Group(outcomes, first_error, lengths)).reshape(PROMPTS * GROUP, -1)
    theirs = batch["advantages"].numpy()
    assert theirs.ndim == (2 if name == "spo_prefix" else 1)
    np.testing.assert_allclose(theirs.reshape(len(expected), -1) + 0 * expected, expected, atol=2e-6)


def test_what_cannot_work_is_refused_before_training(tiny):
    half = {"prompts": ["a"] * 2, "completions": ["b"] * 2, "completion_ids": [[3]] * 2}
    with pytest.raises(InputError, match="whole groups of 4"):
        ColouredReward(METHOD, wrong, rts)(**half)
    with pytest.raises(InputError, match="whole groups of 4"):
        ColouredReward(METHOD, wrong, rts)(["a", "a", "b", "b"], ["c"] * 4, completion_ids=[[3]] * 4)
    with pytest.raises(InputError, match="method = 'grpo'"):
        ColouredReward(rule("grpo", group_size=GROUP), wrong, rts)
    with pytest.raises(InputError, match="at least 2 functions"):
        tiny.trainer([wrong], coloured_trainer(tiny), {"method": METHOD})
    with pytest.raises(InputError, match="num_generations"):
        tiny.trainer([wrong, rts], coloured_trainer(tiny), {"method": rule("spo", group_size=8)})
