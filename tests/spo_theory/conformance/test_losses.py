"""Losses: correct ones pass in torch, jax and numpy, wrong ones are found, clips and aggregation are identified."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from spo_theory import InputError
from spo_theory.conformance import check
from spo_theory.conformance.losses.formula import LossFormula
from spo_theory.conformance.losses.subject import LossSubject, role_of
from spo_theory.conformance.losses.tokens import make


def clipped(xp, low=0.2, high=0.28, aggregation="token", mistake="", kl="none", kl_coef=0.0):
    """A clipped loss as trainers write it, on torch, jax or numpy, with one mistake if it is named."""

    def loss(log_prob, old_log_prob, advantages, mask, ref_log_prob=None):
        counted = mask * 1.0
        ratio = xp.exp(log_prob - old_log_prob)
        if mistake == "detached ratio":
            ratio = ratio.detach() * (1 + 0 * log_prob)
        good = advantages[:, None]
        cut = xp.clip(ratio, 1 - low, 1 + high)
        surrogate = xp.minimum(ratio * good, cut * good)
        if mistake == "clipped alone":
            surrogate = cut * good
        elif mistake == "max for min":
            surrogate = xp.maximum(ratio * good, cut * good)
        elif mistake == "never clipped":
            surrogate = ratio * good
        elif mistake == "one clip for both":
            surrogate = xp.minimum(ratio * good, xp.clip(ratio, 1 - low, 1 + low) * good)
        elif mistake == "log-probabilities, not ratios":
            surrogate = log_prob * good
        per_token = surrogate if mistake == "sign" else -surrogate
        if kl != "none":
            away = ref_log_prob - log_prob
            estimate = {"k1": -away, "k2": away**2 / 2, "k3": xp.exp(away) - 1 - away}[kl]
            per_token = per_token + kl_coef * estimate
        if mistake != "padding counts":
            per_token = xp.where(mask, per_token, 0 * per_token)
        width = mask.shape[1]
        if mistake == "divided by the padded width":
            return per_token.sum() / (len(mask) * width)
        if aggregation == "response":
            lengths = counted.sum(1)
            least = 0 if mistake == "empty responses divide by zero" else 1
            return (per_token.sum(1) / xp.where(lengths > least, lengths, 0 * lengths + least)).mean()
        if aggregation == "constant":
            return per_token.sum() / (len(mask) * width)
        return per_token.sum(1).mean() if aggregation == "sum" else per_token.sum() / counted.sum()

    if kl == "none":
        return lambda log_prob, old_log_prob, advantages, mask: loss(log_prob, old_log_prob, advantages, mask)
    return lambda log_prob, old, adv, mask, ref: loss(log_prob, old, adv, mask, ref)


@pytest.mark.parametrize(
    ("library", "xp", "aggregation"),
    [
        *[("torch", torch, aggregation) for aggregation in ("token", "response", "constant", "sum")],
        *[("numpy", np, aggregation) for aggregation in ("token", "response", "constant", "sum")],
    ],
)
def test_correct_losses_pass_and_are_identified(aggregation, library, xp):
    report = check(clipped(xp, aggregation=aggregation), kind="loss", library=library)
    assert report.failed == []
    assert report.convention == repr(LossFormula(0.2, 0.28, aggregation))


def test_gradients_of_jax():
    """One batch alone, because jax compiles for every shape."""
    tokens = make(3, (4, 2, 3), spread=0.3)
    number, gradient = LossSubject(clipped(jnp), library="jax")(tokens)
    want, slope = LossFormula(0.2, 0.28)(tokens)
    assert number == pytest.approx(want, rel=1e-6)
    np.testing.assert_allclose(gradient, slope, atol=1e-6)


@pytest.mark.parametrize("kl", ["k1", "k2", "k3"])
def test_kl_estimators_are_identified(kl):
    report = check(clipped(torch, kl=kl, kl_coef=0.07), kind="loss", library="torch")
    assert report.failed == []
    assert report.convention == repr(LossFormula(0.2, 0.28, kl=kl, kl_coef=0.07))
    other = {"k1": "k3", "k2": "k1", "k3": "k2"}[kl]
    numbers = {"clip_high": 0.28, "kl": other, "kl_coef": 0.07}
    report = check(clipped(torch, kl=kl, kl_coef=0.07), kind="loss", library="torch", **numbers)
    assert "kl_term" in [finding.property.name for finding in report.failed]


MISTAKES = {
    "sign": "descends",
    "detached ratio": "gradient_is_slope",
    "clipped alone": "lower_side_of_good_tokens_goes_on",
    "max for min": "upper_clip_stops_good_tokens",
    "never clipped": "lower_clip_stops_bad_tokens",
    "one clip for both": "gradient_inside_clips",
    "log-probabilities, not ratios": "gradient_off_policy",
    "padding counts": "masked_tokens_have_no_gradient",
    "divided by the padded width": "aggregation",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_wrong_losses_are_found(mistake):
    report = check(clipped(torch, mistake=mistake), kind="loss", library="torch", clip_high=0.28)
    found = [finding.property.name for finding in report.failed]
    assert MISTAKES[mistake] in found
    for finding in report.failed:
        assert "import torch" in finding.counterexample


def test_an_empty_response_must_not_divide_by_zero():
    wrong = clipped(torch, aggregation="response", mistake="empty responses divide by zero")
    assert "finite" in [one.property.name for one in check(wrong, kind="loss", library="torch").failed]


def test_the_wrong_aggregation_is_named():
    numbers = {"clip_high": 0.28, "aggregation": "response"}
    report = check(clipped(torch, aggregation="token"), kind="loss", library="torch", **numbers)
    found = [finding.property.name for finding in report.failed]
    assert "aggregation" in found
    assert "upper_clip_stops_good_tokens" not in found


def test_the_gradient_of_the_formula_is_the_slope_of_its_value():
    """By central differences in every log-probability, for every aggregation and estimator."""
    tokens = make(3, (4, 2, 3), spread=0.2, away=0.4)
    for aggregation in ("token", "response", "constant", "sum"):
        for kl in ("none", "k1", "k2", "k3"):
            formula = LossFormula(aggregation=aggregation, kl=kl, kl_coef=0.1)
            _, gradient = formula(tokens)
            for place in np.ndindex(*gradient.shape):
                sides = []
                for step in (1e-6, -1e-6):
                    moved = tokens.log_prob.copy()
                    moved[place] += step
                    sides.append(formula(type(tokens)(moved, *list(vars(tokens).values())[1:]))[0])
                assert gradient[place] == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-8)


def test_parameters_are_recognized_and_bad_settings_refused():
    assert role_of("old_logprobs") == "old"
    with pytest.raises(InputError, match="aggregation"):
        check(clipped(torch), kind="loss", library="torch", aggregation="mean")
    with pytest.raises(InputError, match="convention"):
        check(clipped(torch), "trl", kind="loss", library="torch")
    with pytest.raises(InputError, match="kind"):
        check(clipped(torch), kind="losses")
    with pytest.raises(InputError, match="layout"):
        check(clipped(torch), kind="loss", library="torch", layout="flat")
