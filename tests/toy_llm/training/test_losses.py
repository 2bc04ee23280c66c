"""The losses: clips, aggregations and KL estimators against numbers worked out by hand or by enumeration."""

import numpy as np
import pytest
import torch

from spo_theory import InputError
from spo_theory.parts.objectives import Clipped, PairRegression
from toy_llm.training.losses import KL_ESTIMATORS, aggregate, clipped_share, policy_loss


def test_clipped_surrogate_by_hand():
    old = torch.zeros(1, 2, 2, dtype=torch.float64)
    now = torch.log(torch.tensor([[[1.5, 0.9], [1.5, 0.5]]], dtype=torch.float64))
    a = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
    credit = a[..., None].expand(now.shape)
    expected = -((min(3.0, 1.28 * 2) + 0.9 * 2) + (min(-1.5, -1.28) + min(-0.5, -0.8))) / 2
    assert policy_loss(Clipped(0.2, 0.28), now, old, a, credit).item() == pytest.approx(expected)
    reference = now - 0.3
    penalty = (np.exp(-0.3) + 0.3 - 1) * 4 / 2
    got = policy_loss(Clipped(0.2, 0.28), now, old, a, credit, reference=reference, kl_coef=0.5).item()
    assert got == pytest.approx(expected + 0.5 * penalty)


def test_only_clipped_tokens_have_no_gradient_and_are_counted():
    now = torch.log(torch.tensor([[[1.5, 0.5, 1.1], [1.5, 0.5, 1.1]]])).requires_grad_()
    a = torch.tensor([[1.0, -1.0]])
    mask = torch.tensor([[[True, True, True], [True, True, False]]])
    given = (Clipped(0.2, 0.28), now, torch.zeros(1, 2, 3), a, a[..., None].expand(1, 2, 3))
    policy_loss(*given, mask=mask).backward()
    assert (now.grad == 0).tolist() == [[[True, False, False], [False, True, True]]]
    assert clipped_share(*given, mask) == pytest.approx(2 / 5)
    assert clipped_share(*given) == pytest.approx(2 / 6)
    assert clipped_share(PairRegression(), *given[1:]) == 0.0


VALUES = torch.tensor([[[1.0, 2.0, 4.0], [8.0, 9.0, 9.0]]], dtype=torch.float64)
MASK = torch.tensor([[[True, True, True], [True, False, False]]])


@pytest.mark.parametrize(
    ("aggregation", "constant", "expected"),
    [
        ("sum", None, (7 + 8) / 2),
        ("response", None, (7 / 3 + 8) / 2),
        ("token", None, 15 / 4),
        ("constant", None, 15 / (2 * 3)),
        ("constant", 10.0, 15 / (2 * 10)),
    ],
)
def test_aggregations_by_hand(aggregation, constant, expected):
    assert aggregate(VALUES, MASK, aggregation, constant).item() == pytest.approx(expected)


def test_without_a_mask_every_token_counts():
    every = torch.ones_like(MASK)
    for aggregation in ("sum", "response", "token", "constant"):
        whole = aggregate(VALUES, None, aggregation).item()
        assert whole == pytest.approx(aggregate(VALUES, every, aggregation).item())
        assert whole == pytest.approx(33 / 2 / (1 if aggregation == "sum" else 3))


@pytest.mark.parametrize("aggregation", ["sum", "response", "token", "constant"])
def test_what_follows_the_end_is_never_read(aggregation):
    """Not even when it is not a number, and a response without tokens is worth 0."""
    now = torch.zeros(1, 2, 3, dtype=torch.float64, requires_grad=True)
    old = torch.where(MASK, 0.0, torch.nan)
    loss = policy_loss(
        Clipped(),
        now,
        old,
        torch.ones(1, 2),
        torch.ones(1, 2, 3),
        reference=old,
        kl_coef=0.1,
        mask=MASK,
        aggregation=aggregation,
    )
    loss.backward()
    assert torch.isfinite(loss)
    assert ((now.grad != 0) == MASK).all()
    assert aggregate(VALUES, torch.zeros_like(MASK), aggregation).item() == 0


@pytest.fixture
def categorical():
    """Logits of a policy and log-probabilities of a reference over six tokens."""
    generator = torch.Generator().manual_seed(0)
    logits, other = (torch.randn(6, generator=generator, dtype=torch.float64) for _ in range(2))
    return logits.requires_grad_(), other.log_softmax(-1)


@pytest.mark.parametrize("name", ["k1", "k2", "k3"])
def test_kl_estimators_by_enumeration(name, categorical):
    logits, reference = categorical
    now = logits.log_softmax(-1)
    p = now.detach().exp()
    values = KL_ESTIMATORS[name](now, reference)
    exact = (now.exp() * (now - reference)).sum()
    if name != "k1":
        assert (values >= 0).all()
    if name == "k2":
        assert (p * values).sum().item() == pytest.approx(0.5 * (p * (now - reference) ** 2).sum().item())
    else:
        assert (p * values).sum().item() == pytest.approx(exact.item())
    wanted = {
        "k1": 0 * exact,
        "k2": exact,
        "k3": (reference.exp() * (reference - now)).sum(),
    }[name]
    got = torch.autograd.grad((p * values).sum(), logits, retain_graph=True)[0]
    np.testing.assert_allclose(got, torch.autograd.grad(wanted, logits)[0], atol=1e-14)


def test_the_penalty_uses_the_estimator_that_is_asked_for(categorical):
    now, reference = (x.detach().reshape(1, 2, 3) for x in categorical)
    for name, estimate in KL_ESTIMATORS.items():
        loss = policy_loss(
            Clipped(),
            now,
            now,
            torch.zeros(1, 2),
            torch.zeros(1, 2, 3),
            reference=reference,
            kl_coef=0.5,
            kl_estimator=name,
        )
        assert loss.item() == pytest.approx(0.5 * estimate(now, reference).sum(-1).mean().item())


def test_unknown_names_are_refused():
    zeros = torch.zeros(1, 2, 3)
    with pytest.raises(InputError, match="aggregation = 'mean'"):
        aggregate(zeros, aggregation="mean")
    with pytest.raises(InputError, match="constant = 0"):
        aggregate(zeros, aggregation="constant", constant=0.0)
    with pytest.raises(InputError, match="kl_estimator = 'k4'"):
        policy_loss(Clipped(), zeros, zeros, zeros[..., 0], zeros, kl_estimator="k4")
    with pytest.raises(InputError, match="aggregation = 'token' is not allowed: aggregation must be sum with PairReg"):
        policy_loss(PairRegression(), zeros, zeros, zeros[..., 0], zeros, aggregation="token")
