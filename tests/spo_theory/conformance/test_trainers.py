"""TRL's own statements and its own loss, judged: the right convention, its known rounding, and no false alarm."""

import pytest
import torch
import trainers

from spo_theory.conformance.losses.formula import LossFormula

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of third parties, which change with versions
pytest.importorskip("trl", reason="the extra 'trl' is not installed")

ROUNDING = [
    "equal_rewards_are_silent_in_rounding", "equal_rewards_are_silent_among_others", "nearly_equal_rewards",
]  # fmt: skip
EXPECTED = {
    "TRL group": ("trl", ROUNDING),
    # Among other groups the deviation of the batch is large, and the second one does not show
    "TRL batch": ("trl_batch", [ROUNDING[0], ROUNDING[2]]),
    "TRL none": ("trl_none", []),
    # Whitening takes away what all groups of equal rewards have in common, so the first one does not show
    "TRL normalize_then_sum": ("trl_gdpo", ROUNDING[1:]),
    "TRL RLOO": ("trl_rloo", []),
}
AGGREGATIONS = {"grpo": "response", "bnpo": "token", "dapo": "token", "dr_grpo": "constant", "luspo": "sum"}


@pytest.mark.parametrize("name", EXPECTED)
def test_advantages_of_trl(name):
    [(function, settings)] = [(function, how) for one, function, how in trainers.of_trl() if one == name]
    report = trainers.judged(name, function, settings, sizes=(2, 3, 8))
    convention, failing = EXPECTED[name]
    assert report.identified.names[0] == convention
    assert [finding.property.name for finding in report.failed] == failing
    held = [finding.property.name for finding in report.findings if finding.verdict == "holds"]
    assert {"ragged_groups", "masked_are_ignored", "values_on_0_and_1"} <= set(held)


@pytest.mark.parametrize("loss_type", AGGREGATIONS)
def test_losses_of_trl(loss_type):
    report = trainers.judged(loss_type, trainers.trl_loss(loss_type), {"kind": "loss"})
    assert report.convention == repr(LossFormula(0.2, 0.28, AGGREGATIONS[loss_type]))
    assert report.failed == []


def test_kl_of_trl_is_k3_and_cispo_is_another_loss():
    report = trainers.judged("kl", trainers.trl_loss("dapo", beta=0.04), {"kind": "loss"})
    assert report.convention == repr(LossFormula(0.2, 0.28, kl="k3", kl_coef=0.04))
    assert report.failed == []
    assert trainers.judged("cispo", trainers.trl_loss("cispo"), {"kind": "loss"}).convention == "no known loss"


def test_what_is_run_is_trl_itself():
    """Two responses of a group of four are not scored: NaN for them, the others against each other."""
    rewards = torch.tensor([1.0, float("nan"), 0.0, float("nan")])
    got = trainers.trl_advantages()(rewards, 4)
    torch.testing.assert_close(got, torch.tensor([0.7070, 0.0, -0.7070, 0.0]), atol=1e-4, rtol=0)
