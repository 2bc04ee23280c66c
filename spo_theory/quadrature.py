"""Nodes and weights that decouple the responses of a group (docs/theory.md, section 2)."""

from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx

LOG_STEP = 0.2  # spacing in t of the outer rule; the error falls like exp(-pi^2 / spacing)
MEAN_STEP = 0.7  # spacing of the inner rule in standard deviations; the error falls like exp(-2 pi^2 / spacing^2)
NEGLIGIBLE = 42.0  # exp(-42) = 6e-19: smaller factors cannot change a double


def inverse_std_weight(u: np.ndarray, eps: float) -> np.ndarray:
    """``w`` with ``1 / (sqrt(V) + eps) = int_0^inf w(u) exp(-u V) du``: ``1/sqrt(pi u) - eps erfcx(eps sqrt(u))``.

    For large ``x = eps sqrt(u)`` the two terms cancel, so the asymptotic series of their difference is used.
    """
    x = eps * np.sqrt(u)
    far = x > 9.0
    y = 1.0 / (2.0 * np.where(far, x, 9.0) ** 2)
    series, term = np.zeros_like(x), np.ones_like(x)
    for n in range(1, 20):  # 1 - sqrt(pi) x erfcx(x) = sum_n -(-1)^n (2n-1)!! y^n
        term = -term * (2 * n - 1) * y
        series -= term
    near = 1.0 - np.sqrt(np.pi) * x * erfcx(np.where(far, 0.0, x))
    return np.where(far, series, near) / np.sqrt(np.pi * u)


def inverse_variance_weight(u: np.ndarray, eps: float) -> np.ndarray:
    """``w2`` with ``1 / (sqrt(V) + eps)^2 = int_0^inf w2(u) exp(-u V) du``.

    ``(1 + 2 x^2) erfcx(x) - 2 x / sqrt(pi)`` with ``x = eps sqrt(u)``; its asymptotic series for large x.
    """
    x = eps * np.sqrt(u)
    far = x > 9.0
    y = 1.0 / (2.0 * np.where(far, x, 9.0) ** 2)
    series, term = np.zeros_like(x), np.ones_like(x)
    for n in range(1, 20):  # erfcx(x) = (1 + sum_n t_n) / (sqrt(pi) x), t_n = (-1)^n (2n-1)!! y^n
        series += term  # accumulates t_0 .. t_{n-1}
        term = -term * (2 * n - 1) * y
    # (1 + 2x^2) S - 2x^2 with S = 1 + t_1 + ...; 2 x^2 = 1/y and t_{n+1} / y = -(2n+1) t_n cancel the leading terms
    tail, t = np.zeros_like(x), np.ones_like(x)
    for n in range(0, 19):
        tail += t * (1.0 - (2 * n + 1))
        t = -t * (2 * n + 1) * y
    far_value = tail / (np.sqrt(np.pi) * np.where(far, x, 1.0))
    near_x = np.where(far, 0.0, x)
    near = (1.0 + 2.0 * near_x**2) * erfcx(near_x) - 2.0 * near_x / np.sqrt(np.pi)
    return np.where(far, far_value, near)


@dataclass(frozen=True)
class Nodes:
    """Quadrature nodes: ``kernel`` ``(L, K)``, the factor of a response of each class; ``weight`` ``(L,)``."""

    kernel: np.ndarray
    weight: np.ndarray


def nodes(rewards: np.ndarray, group_size: int, eps: float, squared: bool = False, refine: int = 1) -> Nodes:
    """Nodes for rewards ``(K,)``, at least two of them different, and a group of ``group_size``.

    ``squared``: weights for ``1 / (std + eps)^2`` instead of ``1 / (std + eps)``. ``refine``: divides both
    spacings, for an error estimate. With ``t`` the outer variable, ``u = exp(t - exp(-t)) / R^2``: the slow
    decay towards u = 0 becomes doubly exponential.
    """
    r = np.unique(rewards)
    span, gap = r[-1] - r[0], np.diff(r).min()
    smallest_variance = gap**2 * (group_size - 1) / group_size**2
    top = np.log(NEGLIGIBLE / smallest_variance * span**2) + 0.5
    step = LOG_STEP / refine
    t = np.arange(-4.4, top + step, step)
    u = np.exp(t - np.exp(-t)) / span**2
    density = (inverse_variance_weight if squared else inverse_std_weight)(u, eps)
    outer = density * u * (1.0 + np.exp(-t)) * step
    middle = 0.5 * (r[0] + r[-1])
    kernels, weights = [], []
    for ui, wi in zip(u, outer, strict=True):
        h = MEAN_STEP / refine / np.sqrt(2.0 * ui)
        reach = np.sqrt(NEGLIGIBLE / ui)
        # the group's product is at most exp(-u d^2), d the distance of m to the nearest reward: keep those m only
        index = [np.arange(np.ceil((x - reach - middle) / h), np.floor((x + reach - middle) / h) + 1) for x in r]
        m = middle + h * np.unique(np.concatenate(index))
        kernels.append(np.exp(-(ui / group_size) * (rewards[None, :] - m[:, None]) ** 2))
        weights.append(np.full(m.size, wi * h * np.sqrt(ui / np.pi)))
    return Nodes(np.concatenate(kernels), np.concatenate(weights))


def node_count(rewards: np.ndarray, group_size: int) -> int:
    """About how many nodes `nodes` makes, without making them."""
    r = np.unique(rewards)
    span, gap = r[-1] - r[0], np.diff(r).min()
    per_point = 2 * np.sqrt(2 * NEGLIGIBLE) / MEAN_STEP
    top = np.log(NEGLIGIBLE * group_size**2 / (group_size - 1) * (span / gap) ** 2) + 0.5
    u = np.exp(np.arange(0, top, LOG_STEP))
    crowded = per_point + np.sqrt(2 * u) / MEAN_STEP
    return int(np.minimum(crowded, len(r) * per_point).sum() + 4.4 / LOG_STEP * per_point)
