"""Nodes and weights that decouple the responses of a group (docs/theory/expected-advantages.md#quadrature)."""

from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx

from spo_theory.parts.baselines import GroupAdvantage

LOG_STEP = 0.25  # spacing of the outer rule in t; its error falls like exp(-pi^2 / spacing)
MEAN_STEP = 0.75  # spacing of the inner rule in standard deviations; its error falls like exp(-2 pi^2 / spacing^2)
NEGLIGIBLE = 40.0  # exp(-40) = 4e-18: smaller factors cannot change a double
DROPPED = 1e-20  # share of a result below which a node is left out
SMALLEST_GAP = 1e-140  # of two different rewards, over their range: its square must not vanish
LARGE_EPS = 2.0**60  # of eps over the range of the rewards: beyond, the std itself is lost in round-off
MANY = 2**62  # nodes, where there is no quadrature
LOWEST = -4.35  # t at which the outer rule starts; u there is 1e-35 of its middle, and its integral 1e-17


def repeated_erfc(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``exp(x^2)`` times the first and second repeated integral of erfc at ``x >= 0``, to full relative precision.

    ``x``, and both results: arrays of one shape. Their textbook forms ``1/sqrt(pi) - x erfcx(x)`` and
    ``((1 + 2 x^2) erfcx(x) - 2 x / sqrt(pi)) / 4`` cancel for large x. There the ratios of successive integrals come
    from their continued fraction, whose terms are positive. Source: docs/theory/expected-advantages.md#quadrature.
    """
    # Below 1 little cancels, and the textbook forms serve
    near = np.minimum(x, 1.0)
    first = 1.0 / np.sqrt(np.pi) - near * erfcx(near)
    second = 0.25 * ((1.0 + 2.0 * near**2) * erfcx(near) - 2.0 * near / np.sqrt(np.pi))
    # The continued fraction is evaluated from its far end, where its asymptotic value starts it
    far = np.maximum(x, 1.0)
    depth = 160
    ratios = [1.0 / (far + np.sqrt(far**2 + 2.0 * depth))]
    for n in range(depth, 0, -1):
        ratios.append(1.0 / (2.0 * far + 2.0 * n * ratios[-1]))
    f1 = 2.0 / np.sqrt(np.pi) * ratios[-1] * ratios[-2]
    return np.where(x < 1.0, first, f1), np.where(x < 1.0, second, f1 * ratios[-3])


def inverse_std_weight(u: np.ndarray, eps: float) -> np.ndarray:
    """``w`` with ``1 / (sqrt(V) + eps) = int_0^inf w(u) exp(-u V) du``: ``1/sqrt(pi u) - eps erfcx(eps sqrt(u))``."""
    return repeated_erfc(eps * np.sqrt(u))[0] / np.sqrt(u)


def inverse_variance_weight(u: np.ndarray, eps: float) -> np.ndarray:
    """``w2`` with ``1 / (sqrt(V) + eps)^2 = int_0^inf w2(u) exp(-u V) du``.

    ``(1 + 2 x^2) erfcx(x) - 2 x / sqrt(pi)`` with ``x = eps sqrt(u)``.
    """
    return 4.0 * repeated_erfc(eps * np.sqrt(u))[1]


@dataclass(frozen=True)
class Nodes:
    """Quadrature nodes that take the responses of a group apart.

    kernel ``(L, K)``: factor of a response of each class at each of the L nodes. weight ``(L,)``: of the nodes.
    Source: docs/theory/expected-advantages.md#quadrature.
    """

    kernel: np.ndarray
    weight: np.ndarray


def group_nodes(
    rewards: np.ndarray, group_size: int, advantage: GroupAdvantage, power: int = 1, refine: int = 1
) -> Nodes:
    """Nodes such that a sum over them of ``weight * prod_i kernel[class of i]`` is the group's ``1 / divisor^power``.

    The divisor is ``advantage``'s: std plus eps, or 1 for the mean only, whose one node is u = 0, as is that of an eps
    beside which the std does not count. The std with ddof 1
    is a factor times the one with ddof 0; the factor moves into eps and the weights. ``power``: 1 or 2.
    """
    if advantage.scale == "none":
        return Nodes(np.ones((1, len(rewards))), np.ones(1))
    if advantage.eps > LARGE_EPS * np.ptp(rewards):
        return Nodes(np.ones((1, len(rewards))), np.full(1, (1 / advantage.eps) ** power))
    factor = np.sqrt(group_size / (group_size - advantage.ddof))
    eps = advantage.eps / factor
    rule = nodes(rewards, group_size, eps, squared=power == 2, refine=refine)

    # Every term has the kernels of two classes, and those of all others are at most the largest one. The result is at
    # least 1 / (R/2 + eps)^power. Nodes that cannot reach a share DROPPED of it are left out, in total less than 10^4
    # times that share
    ordered = np.sort(rule.kernel, axis=1)
    most = rule.weight * ordered[:, -2] * ordered[:, -1] ** (group_size - 1)
    kept = most * (np.ptp(rewards) / 2 + eps) ** power > DROPPED
    return Nodes(rule.kernel[kept], rule.weight[kept] / factor**power)


def nodes(rewards: np.ndarray, group_size: int, eps: float, squared: bool = False, refine: int = 1) -> Nodes:
    """Nodes for rewards ``(K,)``, at least two of them different, and a group of ``group_size``.

    ``squared``: weights for ``1 / (std + eps)^2`` instead of ``1 / (std + eps)``. ``refine``: divides both
    spacings, for an error estimate. With ``t`` the outer variable, ``u = exp(t - exp(-t)) / max(R, eps)^2``, R the
    range of the rewards: the slow decay towards u = 0 becomes doubly exponential.
    """
    # Outer rule: the integral over u that turns 1 / (std + eps) into exponentials of the variance
    r = np.unique(rewards)
    step = LOG_STEP / refine
    scale = max(r[-1] - r[0], eps)
    t = np.arange(LOWEST, _highest(r, group_size, scale) + step, step)
    u = np.exp(t - np.exp(-t)) / scale**2
    density = (inverse_variance_weight if squared else inverse_std_weight)(u, eps)
    outer = density * u * (1.0 + np.exp(-t)) * step
    # Inner rule: an integral over the mean m takes the responses apart, since the variance couples them by it alone
    kernels = []
    weights = []
    for ui, wi in zip(u, outer, strict=True):
        h = MEAN_STEP / refine / np.sqrt(2.0 * ui)
        # The product over the group is at most exp(-u d^2), d the distance of m to the nearest reward: only near m
        # count. Rewards out of each other's reach get their own grids, counted from one of them, so that differences
        # stay exact
        reach = np.sqrt(NEGLIGIBLE / ui)
        for near in np.split(r, np.flatnonzero(np.diff(r) > 2.0 * reach) + 1):
            m = h * np.arange(np.ceil(-reach / h), np.floor((near[-1] - near[0] + reach) / h) + 1)
            kernels.append(np.exp(-(ui / group_size) * ((rewards - near[0])[None, :] - m[:, None]) ** 2))
            weights.append(np.full(m.size, wi * h * np.sqrt(ui / np.pi)))
    return Nodes(np.concatenate(kernels), np.concatenate(weights))


def too_close(distinct: np.ndarray) -> bool:
    """Whether two of the different rewards ``(D,)`` are nearer to each other than `SMALLEST_GAP` of their range."""
    return bool(np.diff(distinct).min() < SMALLEST_GAP * np.ptp(distinct))


def _highest(distinct: np.ndarray, group_size: int, scale: float) -> float:
    """The t beyond which even the smallest variance that is not 0 (one response off by the gap) leaves nothing."""
    relative_gap = np.diff(distinct).min() / scale
    return float(np.log(NEGLIGIBLE * group_size**2 / (group_size - 1) / relative_gap**2))


def node_count(rewards: np.ndarray, group_size: int) -> int:
    """About how many nodes `nodes` makes for these rewards ``(K,)``, without making them.

    Used to predict the work of the quadrature, see `spo_theory.exact.by_class.prepare.choose_method`.
    """
    r = np.unique(rewards)
    if too_close(r):
        return MANY
    per_point = 2 * np.sqrt(2 * NEGLIGIBLE) / MEAN_STEP
    t = np.arange(LOWEST, _highest(r, group_size, r[-1] - r[0]) + LOG_STEP, LOG_STEP)
    crowded = per_point + np.sqrt(2 * np.exp(t - np.exp(-t))) / MEAN_STEP
    return int(np.minimum(crowded, len(r) * per_point).sum())
