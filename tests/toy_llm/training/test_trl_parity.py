"""Advantages and losses against TRL's GRPOTrainer on equal inputs, through its own code."""

import numpy as np
import pytest
import torch
from tiny_trl import GROUP, LONGEST, PROMPTS, TinyTrl

from spo_theory import rule
from spo_theory.parts.objectives import Clipped
from toy_llm.training.losses import policy_loss

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of third parties, which change with versions

LOSSES = {"grpo": "response", "bnpo": "token", "dapo": "token", "dr_grpo": "constant"}


@pytest.fixture(scope="module")
def make_trainer(tmp_path_factory):
    """A function that builds a GRPOTrainer with given rewards of its completions."""
    tiny = TinyTrl(tmp_path_factory.mktemp("trl"))

    def build(rewards=None, **options):
        def scores(prompts, **_):
            return [0.0] * len(prompts) if rewards is None else rewards

        return tiny.trainer([scores], **options)

    return build


def batch(seed):
    """Prompts, completions of different lengths, old and reference log-probabilities and advantages, all random."""
    g = torch.Generator().manual_seed(seed)
    n = GROUP * PROMPTS
    lengths = torch.randint(1, LONGEST + 1, (n, 1), generator=g)
    return {
        "prompt_ids": torch.randint(2, 14, (n, 4), generator=g),
        "prompt_mask": torch.ones(n, 4, dtype=torch.long),
        "completion_ids": torch.randint(2, 14, (n, LONGEST), generator=g),
        "completion_mask": (torch.arange(LONGEST) < lengths).long(),
        "advantages": torch.randn(n, generator=g),
        "num_items_in_batch": lengths.sum(),
    }


def log_probs_of(trainer, inputs):
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    seen = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    return trainer._get_per_token_logps_and_entropies(trainer.model, ids, seen, LONGEST)[0]


@pytest.mark.parametrize("kl", [0.0, 0.07])
@pytest.mark.parametrize("loss_type", ["grpo", "bnpo", "dapo", "dr_grpo"])
def test_losses_and_gradients(make_trainer, loss_type, kl):
    """Off-policy (ratios far from 1, so both clips act), masks of different lengths, KL k3: value and gradient."""
    trainer = make_trainer(loss_type=loss_type, beta=kl, epsilon=0.2, epsilon_high=0.28)
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.train()
    for seed in range(3):
        inputs = batch(seed)
        g = torch.Generator().manual_seed(100 + seed)
        with torch.no_grad():
            now = log_probs_of(trainer, inputs)
        inputs["old_per_token_logps"] = now + 0.4 * torch.randn(now.shape, generator=g)
        inputs["ref_per_token_logps"] = now + 0.4 * torch.randn(now.shape, generator=g)
        theirs = trainer._compute_loss(trainer.model, inputs)
        gradient = torch.autograd.grad(theirs, list(trainer.model.parameters()), allow_unused=True)
        shape = (PROMPTS, GROUP, LONGEST)
        old, reference = (inputs[f"{name}_per_token_logps"].view(shape) for name in ("old", "ref"))
        mask, advantages = inputs["completion_mask"].bool().view(shape), inputs["advantages"].view(shape[:2])
        live = log_probs_of(trainer, inputs).view(shape)
        credit = advantages[..., None].expand(shape)
        ours = policy_loss(
            Clipped(0.2, 0.28),
            live,
            old,
            advantages,
            credit,
            reference=reference,
            kl_coef=kl,
            mask=mask,
            aggregation=LOSSES[loss_type],
        )
        assert float(ours) == pytest.approx(float(theirs), rel=2e-6, abs=2e-7)
        mine = torch.autograd.grad(ours, list(trainer.model.parameters()), allow_unused=True)
        for a, b in zip(mine, gradient, strict=True):
            torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("scale", ["group", "none"])
def test_advantages(make_trainer, scale):
    """Rewards of mixed, all-negative and all-positive groups, through TRL's whole scoring of sampled completions."""
    correct = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
    trainer = make_trainer(rewards=correct.astype(float).ravel().tolist(), scale_rewards=scale)
    rows = [{"prompt": f"{a}+{a + 1}="} for a in range(PROMPTS) for _ in range(GROUP)]
    theirs = trainer._generate_and_score_completions(rows)["advantages"].numpy().reshape(correct.shape)
    r = rule("grpo", group_size=GROUP, convention="trl") if scale == "group" else rule("dr_grpo", group_size=GROUP)
    ours = r.advantages(correct, np.where(correct, 1, 0), np.ones(correct.shape), dtype=np.dtype("float32"))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-7)
    assert not theirs[1].any()
