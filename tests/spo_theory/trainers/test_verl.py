"""Colouring as an advantage estimator of verl."""

import numpy as np
import pytest
import torch

from spo_theory import InputError, rule
from spo_theory.trainers import verl as ours


def batch(seed, groups=12, size=8):
    """Coloured scores of whole groups, half of them all-negative, in shuffled order, with the method's advantages."""
    random = np.random.default_rng(seed)
    method = rule("spo", group_size=size, scope="all_incorrect", convention="verl")
    first_error = random.integers(0, 4, (groups, size))
    correct = random.random((groups, size)) < 0.3
    correct[::2] = False
    lengths = np.full((groups, size), 4)
    scores = method.rewards(correct, first_error, lengths, dtype=np.dtype("float32"))
    order = random.permutation(groups * size)
    uids = np.repeat([f"question {i}" for i in range(groups)], size)[order]
    wanted = rule("spo", group_size=size, convention="verl").advantages(correct, first_error, lengths).ravel()[order]
    return torch.from_numpy(scores.ravel()[order]), uids, wanted


def test_shuffled_groups_get_the_methods_advantages():
    for seed in range(5):
        scores, uids, wanted = batch(seed)
        np.testing.assert_allclose(ours.advantages_of_scores(scores, uids).numpy(), wanted, atol=1e-6)


def test_the_scope_all_incorrect_keeps_colours_beside_a_correct_response():
    scores = torch.tensor([1.0, 0.5, 0.0])
    gated = ours.advantages_of_scores(scores, ["a"] * 3)
    kept = ours.advantages_of_scores(scores, ["a"] * 3, "all_incorrect")
    assert gated[1] == gated[2] < 0
    assert kept.tolist() == pytest.approx([1.0, 0.0, -1.0], abs=1e-5)


def test_groups_of_any_size_and_silent_ones():
    scores = torch.tensor([0.1, 1.0, 0.7, 0.1, 0.1, 0.0])
    uids = ["equal", "mixed", "alone", "equal", "equal", "mixed"]
    found = ours.advantages_of_scores(scores, uids)
    assert found[[0, 3, 4]].tolist() == [0.0, 0.0, 0.0]
    assert found[2].item() == pytest.approx(0.7, rel=1e-5)
    assert found[[1, 5]].tolist() == pytest.approx([2**-0.5, -(2**-0.5)], rel=1e-5)


def test_every_token_of_a_response_has_its_advantage():
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    rewards = torch.tensor([[0.0, 1.0, 0.0], [0.25, 0.0, 0.0]])
    advantages, returns = ours.spo(rewards, mask, index=["a", "a"])
    assert (advantages == returns).all()
    assert advantages[0].tolist() == pytest.approx([2**-0.5, 2**-0.5, 0.0], rel=1e-5)


def test_an_addition_to_the_reward_of_a_correct_response_is_refused():
    with pytest.raises(InputError, match="nothing added"):
        ours.advantages_of_scores(torch.tensor([1.01, 0.0]), ["a", "a"])


@pytest.mark.filterwarnings("ignore")  # of third parties
def test_verls_own_registry_and_advantages():
    pytest.importorskip("verl", reason="verl is not installed (docs/trainers.md says how)")
    from tensordict import TensorDict
    from verl import DataProto
    from verl.trainer.ppo.ray_trainer import compute_advantage

    ours.register()
    scores, uids, wanted = batch(0)
    mask = torch.ones(len(scores), 3)
    rewards = torch.zeros(len(scores), 3)
    rewards[:, 2] = scores
    tensors = TensorDict({"token_level_rewards": rewards, "response_mask": mask}, batch_size=[len(scores)])
    data = compute_advantage(DataProto(tensors, {"uid": uids}), "spo", config={})
    np.testing.assert_allclose(data.batch["advantages"].numpy(), np.repeat(wanted[:, None], 3, 1), atol=1e-6)
