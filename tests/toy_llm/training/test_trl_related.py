"""Losses of RLOO, DPO and IPO against TRL's own code on equal inputs: its loss functions on log-probabilities given."""

import warnings
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch

from spo_theory import rule
from toy_llm.training.losses import policy_loss

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of third parties, which change with versions

QUESTIONS, LONGEST = 5, 6


@pytest.fixture(scope="module")
def trl():
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HUB_OFFLINE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("trl", reason="the extra 'trl' is not installed")
    patch.undo()


class Alone:
    """A process without others: everything that is gathered is already there."""

    device = "cpu"

    def gather(self, values):
        return values

    gather_for_metrics = gather

    def reduce(self, values, reduction):
        return values


def trainer(**settings):
    """What TRL's loss functions read of their trainer."""
    common = {"model": SimpleNamespace(training=True), "accelerator": Alone(), "aux_loss_enabled": False}
    return SimpleNamespace(**common, _metrics={"train": defaultdict(list)}, **settings)


def sequences(group, seed):
    """Current and other log-probabilities and a mask ``(Q, G, T)``; responses of different lengths."""
    generator = torch.Generator().manual_seed(seed)
    shape = (QUESTIONS, group, LONGEST)
    now = -torch.rand(shape, generator=generator, dtype=torch.float64)
    other = now + 0.2 * torch.randn(shape, generator=generator, dtype=torch.float64)
    lengths = torch.randint(1, LONGEST + 1, (QUESTIONS, group, 1), generator=generator)
    return now.requires_grad_(), other, torch.arange(LONGEST) < lengths


@pytest.mark.parametrize("seed", range(3))
def test_rloo(trl, seed):
    now, old, mask = sequences(4, seed)
    advantages = torch.randn(QUESTIONS, 4, generator=torch.Generator().manual_seed(9 + seed), dtype=torch.float64)
    objective = rule("rloo", group_size=4).objective
    credit = advantages[..., None].expand(now.shape)
    ours = policy_loss(objective, now, old, advantages, credit, mask=mask)

    flat = now.reshape(-1, LONGEST)
    given = flat, torch.zeros_like(flat), None
    fake = trainer(epsilon_low=0.2, epsilon_high=0.2, _get_per_token_logps_and_entropies=lambda *_, **__: given)
    ids = torch.zeros(len(flat), LONGEST, dtype=torch.long)
    inputs = {"prompt_ids": ids, "prompt_mask": ids, "completion_ids": ids, "completion_mask": mask.view(flat.shape)}
    inputs |= {"old_logps": (old * mask).sum(-1).flatten(), "advantages": advantages.flatten()}
    theirs = trl.RLOOTrainer._compute_loss(fake, None, inputs)
    agree(ours, theirs, now)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["dpo", "ipo"])
def test_pairs(trl, name, seed):
    """Groups of one right and one wrong response. TRL's IPO divides by lengths, so there all have one length."""
    now, reference, mask = sequences(2, seed)
    strength = 0.3
    if name == "ipo":
        mask = torch.ones_like(mask)
    option = {"dpo": {"beta": strength}, "ipo": {"tau": strength / LONGEST}}[name]
    objective = rule(name, group_size=2, **option).objective
    won = torch.tensor([1.0, 0.0], dtype=torch.float64).expand(QUESTIONS, 2)
    ours = policy_loss(objective, now, reference, won, won[..., None].expand(now.shape), mask=mask)

    # Chosen responses come first; the first token of TRL's inputs belongs to the prompt
    flat = torch.cat([now[:, 0], now[:, 1]]) * mask.transpose(0, 1).reshape(-1, LONGEST)
    other = torch.cat([reference[:, 0], reference[:, 1]]) * mask.transpose(0, 1).reshape(-1, LONGEST)
    blank = torch.zeros_like(flat)
    logs = {"entropy": blank, "mean_logits": blank, "is_top1": blank.bool()}

    def model(**_):
        return SimpleNamespace(log_probs=flat, **logs)

    chosen, rejected = other.sum(-1).chunk(2)
    fake = trainer(
        beta=strength, loss_types=["sigmoid" if name == "dpo" else "ipo"], loss_weights=[1.0], ld_alpha=None,
        precompute_ref_logps=True, f_divergence_type="reverse_kl", use_weighting=False, _total_train_tokens=0,
        _tp_size=1,
    )  # fmt: skip
    written = mask.transpose(0, 1).reshape(-1, LONGEST).long()
    written = torch.cat([torch.zeros(len(written), 1, dtype=torch.long), written], dim=1)
    inputs = {"input_ids": torch.zeros_like(written), "attention_mask": written, "completion_mask": written}
    inputs |= {"ref_chosen_logps": chosen, "ref_rejected_logps": rejected}
    theirs = trl.DPOTrainer._compute_loss(fake, model, inputs, False)

    # Values are scaled so that the first update does not depend on the strength
    scale = 1 / strength if name == "dpo" else strength * LONGEST / 2
    agree(ours, theirs * scale, now)


def agree(ours, theirs, now):
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-10)
    mine, other = (torch.autograd.grad(loss, now, retain_graph=True)[0] for loss in (ours, theirs))
    assert mine.abs().max() > 1e-3
    torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)
