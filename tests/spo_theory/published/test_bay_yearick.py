"""Bay and Yearick, arXiv 2607.00152: the update is the std times the contrast; what a finite group keeps."""

import numpy as np
import pytest
from every_group import c, group_updates, groups

from spo_theory import ReasoningChain, expected_advantages, rule


@pytest.mark.parametrize("group_size", [2, 3, 6])
def test_bay_yearick_update_is_std_times_contrast(group_size):
    """Bay & Yearick, arXiv 2607.00152: update = sigma (mean score of correct - of incorrect); Dr. GRPO sigma^2."""
    chain = ReasoningChain(step_success=[0.6, 0.3, 0.8])
    classes, _ = groups(chain, group_size)
    correct = classes == chain.horizon
    k = correct.sum(1)
    mixed = (k > 0) & (k < group_size)
    classes, correct, k = classes[mixed], correct[mixed][..., None], k[mixed][:, None]
    s = chain.scores[classes]
    contrast = (s * correct).sum(1) / k - (s * ~correct).sum(1) / (group_size - k)
    sigma = np.sqrt(k * (group_size - k)) / group_size
    for r, power in (("grpo", 1), ("dr_grpo", 2)):
        got = group_updates(chain, rule(r, group_size=group_size), classes)
        np.testing.assert_allclose(got, sigma**power * contrast, rtol=0, atol=2e-15)


def fidelity(group_size, p):
    """Contrast of expected advantages over its value in an infinite group."""
    a = np.asarray(expected_advantages([1 - p, p], [0.0, 1.0], group_size))
    return float((a[1] - a[0]) * np.sqrt(p * (1 - p)))


def test_bay_yearick_fidelity_of_eight():
    """Bay & Yearick, arXiv 2607.00152: fidelity 0.54 at p = 0.05, G = 8; the expansion 1 - 1/(8Gp(1-p)) says 0.67."""
    assert fidelity(8, 0.05) == pytest.approx(0.5390, abs=5e-5)
    assert fidelity(8, 0.05) == pytest.approx(c(8, 0.05) / np.sqrt(0.05 * 0.95), abs=1e-14)
    expansion = 1 - 1 / (8 * 8 * 0.05 * 0.95)
    assert expansion == pytest.approx(0.67, abs=5e-3)


@pytest.mark.parametrize(
    ("p", "sizes"), [(0.5, (7, 11, 51)), (0.3, (9, 14, 61)), (0.1, (22, 36, 144)), (0.05, (42, 69, 273))]
)
def test_bay_yearick_group_sizes(p, sizes):
    """Bay & Yearick, arXiv 2607.00152: the smallest groups with fidelity 90, 95 and 99 per cent."""
    for level, size in zip((0.90, 0.95, 0.99), sizes, strict=True):
        before, at = (c(g, p) / np.sqrt(p * (1 - p)) for g in (size - 1, size))
        assert before < level <= at
        if size in (7, 273):  # the project's own function: the smallest and the largest, for the time
            assert fidelity(size, p) == pytest.approx(at, rel=1e-12)
