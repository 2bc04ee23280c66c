"""Published results of other authors beside what the project's own functions give, one tidy table each.

Where a result has a closed form or printed numbers, a row holds both: ``published`` follows the source's formula,
``project`` is computed from the outcome classes, groups or dynamics without it (NaN where it was not computed). ``P``
is the success probability, ``q_h`` that of step h; time is counted in updates of learning rate 1.
"""

from collections.abc import Callable
from itertools import combinations_with_replacement
from math import factorial, prod
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.stats import binom

from spo_theory.dynamics.first_passage import first_reach
from spo_theory.dynamics.flow import flow, flow_time
from spo_theory.exact.moments import group_covariance
from spo_theory.exact.update import expected_update, update_function
from spo_theory.method import Method
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.judged import confusion, judged_update_function
from spo_theory.parts.rewards import Colouring
from spo_theory.published.closed_forms import (
    gradient_gap,
    kl_fixed_point,
    kl_round,
    kl_slope,
    largest_safe_rate,
    noisy_bandit_flow,
    noisy_outcome_update,
    oracle_trace,
    success_lower_bound,
    transform_clock,
    u_statistic_mse,
)

INFINITE = float("inf")


def _c(group_size: float, p: np.ndarray) -> np.ndarray:
    """``E[sqrt(k (G - k))] / G`` for k binomial (G, p): the finite group's ``sqrt(p (1 - p))``, its limit."""
    p = np.asarray(p, dtype=float)
    if np.isinf(group_size):
        return np.sqrt(p * (1 - p))
    k = np.arange(int(group_size) + 1)
    return binom.pmf(k, int(group_size), p[..., None]) @ np.sqrt(k * (group_size - k)) / group_size


def _pair(p: np.ndarray) -> ReasoningChain:
    """One question of a single step for each success probability in ``p`` ``(N,)``."""
    return ReasoningChain(step_success=np.asarray(p)[:, None])


def _tables(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.concat([pd.DataFrame(row) for row in rows], ignore_index=True)


def _groups(chain: ReasoningChain, group_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Every group without its order: outcome classes ``(C, G)`` and probabilities ``(C,)``."""
    classes = np.array(list(combinations_with_replacement(range(chain.horizon + 1), group_size)))
    counts = [np.bincount(c, minlength=chain.horizon + 1) for c in classes]
    ways = np.array([factorial(group_size) / prod(factorial(int(n)) for n in c) for c in counts])
    return classes, ways * chain.class_probs[classes].prod(1)


def _group_updates(chain: ReasoningChain, r: Method, classes: np.ndarray) -> np.ndarray:
    """Update ``(C, H)`` of each group of outcome classes ``(C, G)``."""
    a = r.advantages(classes == chain.horizon, classes, np.full(classes.shape, float(chain.horizon)))
    return np.einsum("cg,cgh->ch", a, chain.scores[classes]) / classes.shape[1]


# --- KL-regularized GRPO: Mroueh ----------------------------------------------------------------------------


def kl_rounds(
    reference: float = 0.05, betas: tuple[float, ...] = (1.0, 2.0, 5.0), rounds: int = 12, var_eps: float = 1e-5
) -> pd.DataFrame:
    """Success after each exactly solved round of KL-regularized GRPO, and the recurrence's fixed point.

    ``published``: ``logit P' = logit P_ref + 1 / (beta sqrt(P (1 - P) + eps))``. ``project``: the outcome classes of a
    three-step chain, tilted by ``exp(A / beta)``. Source: Mroueh, arXiv 2503.06639.
    """
    start = ReasoningChain(step_success=reference ** np.array([0.2, 0.3, 0.5])).class_probs
    rows = []
    for beta in betas:
        p, tilted, path, chain = reference, start, [reference], [float(start[-1])]
        for _ in range(rounds):
            p = float(kl_round(p, reference, beta, var_eps=var_eps))
            success = tilted[-1]
            advantage = (np.arange(4) == 3) - success
            tilted = start * np.exp(advantage / np.sqrt(success * (1 - success) + var_eps) / beta)
            tilted = tilted / tilted.sum()
            path.append(p)
            chain.append(float(tilted[-1]))
        limit = kl_fixed_point(reference, beta, var_eps=var_eps)
        rows.append(
            {"beta": beta, "round": np.arange(rounds + 1), "project": chain, "published": path, "fixed_point": limit}
        )
    return _tables(rows).assign(reference=reference)


def kl_fixed_points(references: tuple[float, ...] = (0.05, 0.2, 0.5)) -> pd.DataFrame:
    """Fixed points of KL-regularized GRPO against the weight of the KL term.

    Rows by ``part``: ``fixed point`` (all of them, from the equation solved for beta; ``stable`` by the slope there),
    ``mean only`` (advantages not divided by the std: one, in closed form) and ``limit`` (of the iteration started at
    the reference, where it settles). Source: Mroueh, arXiv 2503.06639.
    """
    rows = []
    for reference in references:
        anchor = np.log(reference / (1 - reference))
        x = anchor + np.concatenate([np.linspace(0, 16, 801)[1:], np.geomspace(16, 1100, 200)[1:]])
        p = 1 / (1 + np.exp(-x))
        beta = 1 / np.sqrt(p * (1 - p) + 1e-5) / (x - anchor)
        slope = np.array([float(kl_slope(a, b)) for a, b in zip(p, beta, strict=True)])
        rows.append({"part": "fixed point", "beta": beta, "success": p, "stable": np.abs(slope) < 1})
        betas = np.geomspace(0.3, 30, 101)
        mean_only = [float(kl_round(reference, reference, b, scale="none")) for b in betas]
        rows.append({"part": "mean only", "beta": betas, "success": mean_only, "stable": True})
        tried = (0.5, 1.0, 2.0, 5.0, 10.0)
        limits = [kl_fixed_point(reference, b) for b in tried]
        rows.append({"part": "limit", "beta": tried, "success": limits, "stable": True})
        rows[-3:] = [row | {"reference": reference} for row in rows[-3:]]
    return _tables(rows)


# --- verifiers that err: Rad et al. -------------------------------------------------------------------------


def youden_threshold(
    horizon: int = 3, step_success: float = 0.6, group_sizes: tuple[int, ...] = (8, 64)
) -> pd.DataFrame:
    """Rate of P under a noisy verifier against its Youden index J = TPR - FPR, with TPR + FPR = 1.

    ``published``: ``J c_G(r) / (r (1 - r)) |grad P|^2``, r the acceptance rate, and ``c = sqrt(r (1 - r))`` in an
    infinite group. ``project``: exact expected advantages of accepted and rejected responses.
    Source: Rad et al., arXiv 2601.04411, in the form it takes on the chain.
    """
    chain = ReasoningChain(step_success=np.full(horizon, step_success))
    p, gradient = float(chain.success), chain.success * (1 - chain.step_success)
    index = np.linspace(-1, 1, 41)
    rows = []
    for g in (*group_sizes, INFINITE):
        tpr, fpr = (1 + index) / 2, (1 - index) / 2
        accepted = p * tpr + (1 - p) * fpr
        published = index * _c(g, accepted) / (accepted * (1 - accepted)) * (gradient @ gradient)
        project = np.full(len(index), np.nan)
        if np.isfinite(g):
            update = [noisy_outcome_update(chain, int(g), a, b) for a, b in zip(tpr, fpr, strict=True)]
            project = np.array(update) @ gradient
        rows.append({"group_size": float(g), "youden": index, "project": project, "published": published})
    return _tables(rows).assign(success=p)


def noisy_tails(fpr: float = 0.3, tprs: tuple[float, ...] = (1.0, 0.8)) -> pd.DataFrame:
    """Probability of wrong answers over time under a noisy verifier: two right and two wrong answers, one softmax.

    ``project``: the flow integrated. ``published``: its tail, ``t^-2`` without false negatives and ``t^-1`` with them
    (the power is the source's, the height that of the last point). Source: Rad et al., arXiv 2601.04411.
    """
    right, start = np.array([True, True, False, False]), np.array([0.3, -0.4, 0.8, 0.1])
    times = np.geomspace(0.1, 1e5, 61)
    rows = []
    for tpr in tprs:

        def velocity(u: float, z: np.ndarray, tpr: float = tpr) -> np.ndarray:  # u is the logarithm of the time
            return np.exp(u) * noisy_bandit_flow(z, right, tpr, fpr)

        u = np.log(times)
        run = solve_ivp(velocity, (np.log(1e-3), u[-1]), start, "LSODA", t_eval=u, rtol=1e-9, atol=1e-11)
        wrong = np.exp(run.y[~right]).sum(0) / np.exp(run.y).sum(0)
        power = -2.0 if tpr == 1 else -1.0
        tail = np.where(times >= 10, wrong[-1] * (times / times[-1]) ** power, np.nan)
        rows.append({"tpr": tpr, "fpr": fpr, "time": times, "project": wrong, "published": tail, "power": power})
    return _tables(rows)


# --- step size: Suk and Duan --------------------------------------------------------------------------------


def safe_rate(
    starts: tuple[float, ...] = (0.01, 0.0001), horizons: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
) -> pd.DataFrame:
    """Step size along the unit gradient gap that keeps the guarantee ``gain of logit P >= step x gap / 2``.

    ``published``: the sufficient step ``gap / (2 (1/4 + 8 H))`` for H untied steps of equal accuracy. ``project``: the
    largest step that still keeps the guarantee, computed (infinite where every step does, as for short questions).
    Source: Suk and Duan, arXiv 2510.08539.
    """
    rows = []
    for start in starts:
        for h in horizons:
            chain = ReasoningChain(step_success=np.full(h, start ** (1 / h)))
            gap = float(np.linalg.norm(gradient_gap(chain)))
            direction = gradient_gap(chain) / gap
            before = np.log(start) - np.log1p(-start)

            def spare(
                rate: float,
                chain: ReasoningChain = chain,
                direction: np.ndarray = direction,
                gap: float = gap,
                before: float = before,
            ) -> float:
                log_p = -np.logaddexp(0.0, -(chain.logits + rate * direction)).sum()
                return float(log_p - np.log(-np.expm1(log_p)) - before - rate * gap / 2)

            far = 24.0 * np.sqrt(h)  # every step is then right but for about exp(-20)
            largest = brentq(spare, 1e-3, far) if spare(far) < 0 else INFINITE
            published = float(largest_safe_rate(gap, h))
            rows.append({"start": start, "horizon": h, "project": largest, "published": published})
    return pd.DataFrame(rows)


def success_bound(start: float = 0.05, horizons: tuple[int, ...] = (1, 2, 4), most: float = 10.0) -> pd.DataFrame:
    """Success after safe steps (`safe_rate`) against their mass M, the sum of step sizes times gaps.

    ``published``: the lower bound ``P0 / (P0 + (1 - P0) exp(-M / 2))``. ``project``: P on a chain of H untied steps of
    equal accuracy. Source: Suk and Duan, arXiv 2510.08539.
    """
    rows = []
    for h in horizons:
        chain, mass, masses, path = ReasoningChain(step_success=np.full(h, start ** (1 / h))), 0.0, [], []
        while mass < most:
            masses.append(mass)
            path.append(float(chain.success))
            gap = gradient_gap(chain)
            length = float(np.linalg.norm(gap))
            rate = float(largest_safe_rate(length, h))
            mass += rate * length
            chain = ReasoningChain(logits=chain.logits + rate * gap / length)
        bound = success_lower_bound(start, masses)
        rows.append({"horizon": h, "update": np.arange(len(path)), "mass": masses, "project": path, "published": bound})
    return _tables(rows)


# --- noise of the gradient: Zhou et al. ---------------------------------------------------------------------


def u_statistic_variance(
    chains: tuple[tuple[float, ...], ...] = ((0.6, 0.45), (0.2, 0.2, 0.2)),
    group_sizes: tuple[int, ...] = (2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256),
) -> pd.DataFrame:
    """Mean squared error of the leave-one-out gradient, times G, over its limit, the variance with the true baseline.

    ``published``: Hoeffding's formula for the U-statistic. ``project``: the exact covariance of Dr. GRPO's group
    gradient, times ``(G / (G - 1))^2`` for the baseline that leaves a response out. Source: Zhou et al.,
    arXiv 2603.01162.
    """
    rows = []
    for q in chains:
        chain = ReasoningChain(step_success=q)
        limit = float(oracle_trace(chain))
        for g in group_sizes:
            trace = float(np.trace(group_covariance(chain, rule("dr_grpo", group_size=g)))) * (g / (g - 1)) ** 2
            published = g * float(u_statistic_mse(chain, g)) / limit
            success = float(chain.success)
            fixed = {"horizon": chain.horizon, "success": success, "group_size": g}
            rows.append(fixed | {"project": g * trace / limit, "published": published})
    return pd.DataFrame(rows)


def best_group_size(budgets: tuple[int, ...] = (1_000, 10_000, 100_000), questions: int = 40) -> pd.DataFrame:
    """Error of the batch gradient when a budget of N = B G responses is split into B questions of G responses.

    ``project``: ``(G / N) (variance between questions + MSE within one)``, questions drawn from a fixed population of
    three-step chains. ``published``: ``(c1 G + c2 + c3 / (G - 1)) / N``, its constants from G = 2 and 3. ``best``: the
    best size ``1 + sqrt(c3 / c1)`` of that form, free of N. Source: Zhou et al., arXiv 2603.01162, whose bound has
    c3 / G and therefore its minimum at ``sqrt(c3 / c1)``.
    """
    chain = ReasoningChain(step_success=np.random.default_rng(5).uniform(0.02, 0.98, (questions, 3)))
    gradient = chain.success[:, None] * (1 - chain.step_success)
    between = float(((gradient - gradient.mean(0)) ** 2).sum(-1).mean())
    sizes = np.unique(np.geomspace(2, 128, 40).astype(int))
    within = np.array([float(u_statistic_mse(chain, int(g)).mean()) for g in sizes])
    first, second = 2 * within[0], 3 * within[1]  # G x within is c2 + c3 / (G - 1): at G = 2 and at G = 3
    c3 = 2 * (first - second)
    c2 = first - c3
    rows = [
        {
            "budget": n,
            "group_size": sizes,
            "project": sizes / n * (between + within),
            "published": (between * sizes + c2 + c3 / (sizes - 1)) / n,
            "best": 1 + np.sqrt(c3 / between),
        }
        for n in budgets
    ]
    return _tables(rows)


# --- what dividing by the standard deviation does: Bay and Yearick, Liu et al. ------------------------------


def mean_advantage(group_sizes: tuple[int, ...] = (4, 8, 64)) -> pd.DataFrame:
    """Mean size of a standardized advantage, ``E|A|``, for binary rewards of success rate p.

    ``published``: ``2 c_G(p)``, in an infinite group ``2 sqrt(p (1 - p))``. ``project``: the advantages of every
    possible group, weighted. Source: Bay and Yearick, arXiv 2607.00152.
    """
    p = np.linspace(0, 1, 101)
    rows = []
    for g in (*group_sizes, INFINITE):
        project = np.full(len(p), np.nan)
        if np.isfinite(g):
            k = np.arange(g + 1)[:, None]
            correct = np.arange(int(g)) < k
            a = rule("grpo", group_size=int(g)).advantages(correct, np.where(correct, 1, 0), np.ones(correct.shape))
            project = binom.pmf(k[:, 0], g, p[:, None]) @ np.abs(a).mean(1)
        rows.append({"group_size": float(g), "p": p, "project": project, "published": 2 * _c(g, p)})
    return _tables(rows)


def difficulty_weight(group_sizes: tuple[int, ...] = (8, 64)) -> pd.DataFrame:
    """How much more a question of success rate p moves when advantages are divided by the std than when not.

    ``published``: ``c_G(p) / (p (1 - p))``, in an infinite group ``1 / sqrt(p (1 - p))``. ``project``: ratio of the
    exact expected updates of GRPO and of Dr. GRPO, the latter times ``G / (G - 1)``. Sources: Bay and Yearick,
    arXiv 2607.00152; Liu et al. (Dr. GRPO), arXiv 2503.20783.
    """
    p = 1 / (1 + np.exp(-np.linspace(-6, 6, 61)))
    rows = []
    for g in (*group_sizes, INFINITE):
        project = np.full(len(p), np.nan)
        if np.isfinite(g):
            std, mean = (expected_update(_pair(p), rule(name, group_size=int(g)))[:, 0] for name in ("grpo", "dr_grpo"))
            project = std / mean * (g - 1) / g
        rows.append({"group_size": float(g), "p": p, "project": project, "published": _c(g, p) / (p * (1 - p))})
    return _tables(rows)


REQUIRED = {0.5: (7, 11, 51), 0.3: (9, 14, 61), 0.1: (22, 36, 144), 0.05: (42, 69, 273)}
"""Group sizes with 90, 95 and 99 % fidelity, by success rate: Bay and Yearick, arXiv 2607.00152."""


def fidelity() -> pd.DataFrame:
    """Update of GRPO in a group of G over its value in an infinite group, for binary rewards of success rate p.

    ``project``: from the advantages of every possible group. ``published``, in rows of ``part`` "curve": the expansion
    ``1 - 1 / (8 G p (1 - p))``; in rows "required": the fidelity (0.90, 0.95, 0.99) that the printed group size
    reaches. Source: Bay and Yearick, arXiv 2607.00152.
    """
    required = [
        (p, g, level) for p, sizes in REQUIRED.items() for g, level in zip(sizes, (0.90, 0.95, 0.99), strict=True)
    ]
    rows = []
    for p in REQUIRED:
        for g in np.unique(np.geomspace(2, 512, 40).astype(int)).tolist():
            expansion = 1 - 1 / (8 * g * p * (1 - p))
            row = {"part": "curve", "p": p, "group_size": g, "project": _fidelity(g, p), "published": expansion}
            rows.append(row)
    for p, g, level in required:
        rows.append({"part": "required", "p": p, "group_size": g, "project": _fidelity(g, p), "published": level})
    return pd.DataFrame(rows)


def _fidelity(group_size: int, p: float) -> float:
    """``(E[A | correct] - E[A | wrong]) sqrt(p (1 - p))``."""
    k = np.arange(group_size + 1)[:, None]  # correct responses: the first k of the group
    correct = np.arange(group_size) < k
    a = rule("grpo", group_size=group_size).advantages(correct, correct.astype(int), np.ones(correct.shape))
    others = binom.pmf(np.arange(group_size), group_size - 1, p)
    return float((others @ a[1:, 0] - others @ a[:-1, -1]) * np.sqrt(p * (1 - p)))


def std_identity(group_size: int = 6) -> pd.DataFrame:
    """Update of a group over its contrast (mean score of correct minus of incorrect responses), by correct responses k.

    ``published``: the group's std ``sqrt(k (G - k)) / G`` for GRPO and its square for Dr. GRPO. ``project``: the ratio
    in every possible group of a three-step chain, projected on the contrast; ``residual``: the largest component of the
    update beside it, and ``low``, ``high``: the extreme ratios. Source: Bay and Yearick, arXiv 2607.00152.
    """
    chain = ReasoningChain(step_success=[0.6, 0.3, 0.8])
    classes, _ = _groups(chain, group_size)
    correct = classes == chain.horizon
    k = correct.sum(1)
    mixed = (k > 0) & (k < group_size)
    classes, correct, k = classes[mixed], correct[mixed][..., None], k[mixed]
    scores = chain.scores[classes]
    contrast = (scores * correct).sum(1) / k[:, None] - (scores * ~correct).sum(1) / (group_size - k)[:, None]
    rows = []
    for name, power in (("grpo", 1), ("dr_grpo", 2)):
        update = _group_updates(chain, rule(name, group_size=group_size), classes)
        ratio = (update * contrast).sum(1) / (contrast**2).sum(1)
        beside = np.abs(update - ratio[:, None] * contrast).max(1)
        for n in np.unique(k):
            of = k == n
            std = np.sqrt(n * (group_size - n)) / group_size
            row = {
                "rule": name,
                "group_size": group_size,
                "correct": n,
                "groups": int(of.sum()),
                "published": std**power,
            }
            row |= {"project": ratio[of].mean(), "low": ratio[of].min(), "high": ratio[of].max()}
            rows.append(row | {"residual": beside[of].max()})
    return pd.DataFrame(rows)


# --- monotone transforms and their clock: Davis and Recht ---------------------------------------------------


def flow_clock(start: float = 0.01, group_size: int = 4096) -> pd.DataFrame:
    """Success of one step over time, with and without division by the std.

    ``published``: the curve whose clock (`spo_theory.published.closed_forms.transform_clock`) runs with the time, from
    the ascent of ``arcsin sqrt(P)`` (std) or of P (mean only) in an infinite group. ``project``: the gradient flow of
    GRPO with a large group, and of Dr. GRPO with G = 8 in time ``(G - 1) / G``. Source: Davis and Recht, arXiv
    2510.13651.
    """
    rows = []
    for name, g, scale, loss in (("grpo", group_size, "std", 1.0), ("dr_grpo", 8, "none", 7 / 8)):
        end = float(transform_clock(0.97, scale) - transform_clock(start, scale))  # type: ignore[arg-type]
        path = flow(_pair(np.array([start])), rule(name, group_size=g), end / loss, points=61)
        time = path["time"].to_numpy() * loss

        def late(x: float, t: float, scale: str = scale) -> float:
            p = 1 / (1 + np.exp(-x))
            return float(transform_clock(p, scale) - transform_clock(start, scale)) - t  # type: ignore[arg-type]

        logits = [brentq(late, np.log(start / (1 - start)) - 1, 8.0, args=(t,)) for t in time]
        published = 1 / (1 + np.exp(-np.array(logits)))
        rows.append({"rule": name, "group_size": g, "time": time, "project": path["success"], "published": published})
    return _tables(rows)


def time_to_half(group_sizes: tuple[int, ...] = (64, 4096)) -> pd.DataFrame:
    """Time of one step from success p0 to 1/2 against p0.

    ``published``: the clock of an infinite group, of order ``1 / sqrt(p0)`` with the std and ``1 / p0`` without.
    ``project``: the gradient flow of GRPO with finite groups, and of Dr. GRPO with G = 8 in time ``(G - 1) / G``.
    Source: Davis and Recht, arXiv 2510.13651.
    """
    starts = np.geomspace(1e-3, 0.3, 26)
    marked = starts[::5]
    rows = []
    for name, g, scale, loss in (
        *(("grpo", g, "std", 1.0) for g in group_sizes),
        ("dr_grpo", 8, "none", 7 / 8),
    ):
        published = transform_clock(0.5, scale) - transform_clock(starts, scale)  # type: ignore[arg-type]
        r = rule(name, group_size=g)
        project = [flow_time(_pair(np.array([p])), r) * loss if p in marked else np.nan for p in starts]
        rows.append({"rule": name, "group_size": g, "start": starts, "project": project, "published": published})
    return _tables(rows)


# --- the paper's two-step model in groups of any size -------------------------------------------------------

COLOURINGS: dict[str, dict[str, Any]] = {
    "slope 10, threshold 1/2": {"beta": 10.0, "gamma": 0.5},
    "slope 1/2, threshold 10": {"beta": 0.5, "gamma": 10.0},
    "raw score": {"shape": "raw"},
}


def colour_values(second: float = 0.2, group_size: int = 8) -> pd.DataFrame:
    """Expected update of both steps of the two-step model against q_1, for GRPO and three colourings.

    ``published``: ``c_G(P) (1 - q_h) / (1 - P)`` and, coloured, plus ``(1 - P)^G c_G(s) (1, -q_2)`` with s the chance
    that a failure survived step 1: the values of the colours drop out. ``project``: exact expected updates.
    Extends Section 3.2 of arXiv 2505.11595 (there G = 2) by the identity of Bay and Yearick, arXiv 2607.00152.
    """
    q1 = np.linspace(0.01, 0.99, 99)
    chain = ReasoningChain(step_success=np.stack([q1, np.full_like(q1, second)], axis=-1))
    p = chain.success
    plain = (_c(group_size, p) / (1 - p))[:, None] * (1 - chain.step_success)
    s = q1 * (1 - second) / (1 - p)
    colour = ((1 - p) ** group_size * _c(group_size, s))[:, None] * np.array([1, -second])
    rules = {"GRPO": (rule("grpo", group_size=group_size), plain)}
    for name, options in COLOURINGS.items():
        rules[name] = (rule("spo", group_size=group_size, **options), plain + colour)
    rows = []
    for name, (r, published) in rules.items():
        project = expected_update(chain, r)
        for h in range(2):
            row = {"colours": name, "rule": r.name, "step": h + 1, "q_1": q1, "q_2": second, "group_size": group_size}
            rows.append(row | {"project": project[:, h], "published": published[:, h]})
    return _tables(rows)


def _colour_slope(chain: ReasoningChain, group_size: int) -> np.ndarray:
    coloured, plain = (expected_update(chain, rule(name, group_size=group_size)) for name in ("spo", "grpo"))
    return ((coloured - plain) * (1 - chain.step_success)).sum(-1)


def sign_change(group_sizes: tuple[int, ...] = (2, 4, 8)) -> pd.DataFrame:
    """The q_1 at which colouring stops raising P in the two-step model, to first order, for every q_2.

    ``published``: ``q_1 = 1 - q_2 (1 - q_2)``, whatever G. ``project``: the zero of what colouring adds to the rate of
    log P, located by its sign on a fine grid. Extends Section 3.2 of arXiv 2505.11595 (there G = 2).
    """
    second = np.linspace(0.05, 0.95, 19)
    rows = []
    for g in group_sizes:
        low, high = np.full_like(second, 0.3), np.full_like(second, 0.999)
        for _ in range(40):  # bisection of all q_2 at once
            middle = (low + high) / 2
            helps = _colour_slope(ReasoningChain(step_success=np.stack([middle, second], axis=-1)), g) > 0
            low, high = np.where(helps, middle, low), np.where(helps, high, middle)
        rows.append(
            {"group_size": g, "q_2": second, "project": (low + high) / 2, "published": 1 - second * (1 - second)}
        )
    return _tables(rows)


def uniform_penalty(survive: float = 0.3, group_size: int = 8) -> pd.DataFrame:
    """What an all-negative group adds to step 1, on average, as P falls with the share of failures at step 2 fixed.

    ``penalty``: advantage -1 for everybody; ``published``: ``(1 - P)^G P / (1 - P) (1 - q_1)``, of order P;
    ``project``: the sum over the failures' scores. ``colouring``: ``(1 - P)^G c_G(s)``, of order 1; ``project`` is the
    exact update less GRPO's. Sources: NGRPO, arXiv 2509.18851; Sign, arXiv 2605.07689 (uniform penalties).
    """
    p = np.geomspace(1e-5, 0.3, 31)
    first = p + survive * (1 - p)
    chain = ReasoningChain(step_success=np.stack([first, p / first], axis=-1))
    silent = (1 - p) ** group_size
    failures = chain.class_probs[:, :-1] / (1 - p)[:, None]
    penalty = -silent * np.einsum("nk,nk->n", failures, chain.scores[:, :-1, 0])
    coloured, plain = (expected_update(chain, rule(name, group_size=group_size))[:, 0] for name in ("spo", "grpo"))
    rows = [
        {"term": "penalty", "project": penalty, "published": silent * p / (1 - p) * (1 - first)},
        {"term": "colouring", "project": coloured - plain, "published": silent * _c(group_size, np.array(survive))},
    ]
    return _tables([row | {"success": p} for row in rows]).assign(survive=survive, group_size=group_size)


def noisy_judge(step_success: tuple[float, float] = (0.35, 0.2), tpr: float = 0.8, group_size: int = 8) -> pd.DataFrame:
    """What colouring adds in an all-negative group of two-step responses when the step judge errs.

    Against the judge's false-positive rate (it passes a wrong step 1), TPR fixed. ``published``:
    ``c_G(s') J s (1 - s) / (s' (1 - s')) (1, -q_2)``, J = TPR - FPR, s the share of failures at step 2 and
    ``s' = s TPR + (1 - s) FPR``: zero at J = 0. ``project``: the judge as a confusion matrix over outcome classes.
    After Rad et al., arXiv 2601.04411, whose threshold J > 0 it carries over to step judges.
    """
    chain = ReasoningChain(step_success=step_success)
    p, q2 = float(chain.success), step_success[1]
    s = step_success[0] * (1 - q2) / (1 - p)
    fpr = np.linspace(0, 1, 41)
    seen = s * tpr + (1 - s) * fpr
    published = _c(group_size, seen) * (tpr - fpr) * s * (1 - s) / (seen * (1 - seen))
    two_valued = Method("spo", group_size, Colouring(beta=1000.0, gamma=0.25))  # colours 0 and 1: only step 1 is judged
    update = judged_update_function(chain, two_valued)
    plain = expected_update(chain, rule("grpo", group_size=group_size))
    project = np.array([update(chain.logits, confusion(2, miss=f, false_alarm=1 - tpr)) for f in fpr]) - plain
    rows = [
        {"step": h + 1, "fpr": fpr, "project": project[:, h] / (1 - p) ** group_size, "published": published * sign}
        for h, sign in ((0, 1.0), (1, -q2))
    ]
    return _tables(rows).assign(tpr=tpr, q_1=step_success[0], q_2=q2, group_size=group_size)


def no_displacement(step_success: tuple[float, ...] = (0.9, 0.8, 0.5), group_size: int = 4) -> pd.DataFrame:
    """Change of log P by the update of every possible group, to first order and per unit of learning rate.

    Rows by rule: ``change`` in increasing order, ``probability`` of the group, ``cumulative`` its running sum, ``kind``
    of group. GRPO's are at least 0: a correct response scores ``1 - q_h`` at every step, an incorrect one at most that.
    Lazy likelihood displacement is the source's subject: Deng et al., arXiv 2505.18830.
    """
    chain = ReasoningChain(step_success=step_success)
    classes, chance = _groups(chain, group_size)
    k = (classes == chain.horizon).sum(1)
    kind = np.select([k == 0, k == group_size], ["all-negative", "all correct"], "mixed")
    rows = []
    for name in ("grpo", "spo"):
        change = _group_updates(chain, rule(name, group_size=group_size), classes) @ (1 - chain.step_success)
        order = np.argsort(change, kind="stable")
        row = {"rule": name, "change": change[order], "probability": chance[order], "kind": kind[order]}
        rows.append(row | {"cumulative": np.cumsum(chance[order])})
    return _tables(rows).assign(group_size=group_size, chain=", ".join(f"{q:g}" for q in step_success))


# --- other remedies for all-negative groups -----------------------------------------------------------------


REMEDIES = ("grpo", "ngrpo", "sign", "lens", "spo", "spo_prefix")


def remedies(
    step_success: float = 0.3, horizons: tuple[int, ...] = (2, 4, 6, 8, 12), group_size: int = 8, most: int = 4000
) -> pd.DataFrame:
    """Updates until P reaches 1/2 against the number of steps H, for every remedy of all-negative groups.

    Exact expected updates at learning rate 1 from equal step accuracies; colouring by the raw score; NaN from the H on
    that needs more than ``most``. Sources: NGRPO, arXiv 2509.18851; Sign, arXiv 2605.07689; LENS, arXiv 2510.08696 (its
    exact weight is not reproduced); SPO, arXiv 2505.11595; credit to the correct prefix only is this project's variant.
    """
    rows = []
    for name in REMEDIES:
        options = {"shape": "raw"} if name.startswith("spo") else {}
        r, updates = rule(name, group_size=group_size, **options), 0.0
        for h in sorted(horizons):
            start = ReasoningChain(step_success=np.full(h, step_success))
            if np.isfinite(updates):  # once too slow, longer questions are slower still
                updates = _updates_to_half(start, r, most)
            rows.append({"rule": name, "horizon": h, "group_size": group_size, "updates": updates})
    return pd.DataFrame(rows).assign(step_success=step_success, most=most)


def _updates_to_half(chain: ReasoningChain, r: Method, most: int) -> float:
    update = jax.jit(update_function(chain, r))
    logits, path = chain.logits, [float(chain.success)]
    while path[-1] < 0.5 and len(path) <= most:
        logits = logits + np.asarray(update(logits))
        path.append(float((1 / (1 + np.exp(-logits))).prod()))
    return first_reach(np.arange(len(path)), np.array(path), 0.5)


# --- the list -----------------------------------------------------------------------------------------------


class Result(NamedTuple):
    """A published result: ``compute()`` gives its table, ``figures.literature.<draw>`` its figure.

    ``finding``: one sentence, to be completed by `finding`.
    """

    name: str
    compute: Callable[[], pd.DataFrame]
    draw: str
    finding: str


def largest_difference(table: pd.DataFrame) -> float:
    """Largest difference of ``project`` and ``published`` as a share of the largest published value."""
    both = table[np.isfinite(table["project"]) & np.isfinite(table["published"])]
    return float((both["project"] - both["published"]).abs().max() / both["published"].abs().max())


def finding(result: Result, table: pd.DataFrame) -> str:
    """The sentence of ``result`` with the numbers of its ``table`` filled in.

    ``{off}``: `largest_difference`. ``{slope_project}``, ``{slope_published}``: exponent of H over the last two rows of
    the first start. ``{falls_RULE}``: share of groups that lower P. ``{growth_RULE}``: factor per added step between
    the last two H that every rule reaches.
    """
    fields: dict[str, str] = {}
    if {"project", "published"} <= set(table):
        fields["off"] = f"{largest_difference(table):.0e}"
    if {"horizon", "updates"} <= set(table):
        wide = table.pivot_table(index="horizon", columns="rule", values="updates").dropna().iloc[-2:]
        first, last = (int(h) for h in wide.index)
        fields |= {"from_horizon": str(first), "to_horizon": str(last)}
        growth = (wide.iloc[1] / wide.iloc[0]) ** (1 / (last - first))
        fields |= {f"growth_{name}": f"{value:.2f}" for name, value in growth.items()}
    if {"horizon", "start"} <= set(table):
        last = table[table["start"] == table["start"].iloc[0]].sort_values("horizon").iloc[-2:]
        h = np.diff(np.log(last["horizon"].astype(float)))[0]
        for column in ("project", "published"):
            fields[f"slope_{column}"] = f"{np.diff(np.log(last[column]))[0] / h:.1f}"
    if {"change", "probability"} <= set(table):
        for name, rows in table.groupby("rule"):
            fields[f"falls_{name}"] = f"{rows.loc[rows['change'] < -1e-12, 'probability'].sum():.1%}"
    return result.finding.format(**fields)


_FINDINGS: dict[Callable[[], pd.DataFrame], str] = {
    kl_rounds: (
        "With a KL term, a three-step chain whose outcome classes are tilted exactly follows Mroueh's recurrence in "
        "every round (largest difference {off}) and overshoots before it settles at the fixed point."
    ),
    kl_fixed_points: (
        "Every fixed point with the std lies above the reference, but it is not the only one: a success "
        "close to 1 is stable as well, and below a critical weight of the KL term it is all that is left."
    ),
    youden_threshold: (
        "Under a verifier that errs success rises if and only if its Youden index is above 0 (exact expectation "
        "against the closed form: {off})."
    ),
    noisy_tails: "Wrong answers die out like 1/t² if the verifier rejects no right answer, and like 1/t if it does.",
    safe_rate: (
        "The published sufficient step shrinks with the number of steps (exponent {slope_published} at the end), the "
        "one that would break its guarantee on untied steps does not (exponent {slope_project}): here the condition "
        "is sufficient, not necessary."
    ),
    success_bound: (
        "Success after safe steps never crosses the published lower bound; the log-odds gain about twice what it "
        "promises."
    ),
    u_statistic_variance: (
        "The noise of the group gradient is that of a U-statistic: exact second moments and Hoeffding's formula "
        "differ by {off}, and G times it tends to the variance with the true baseline."
    ),
    best_group_size: "With a fixed budget of responses the best group size is the same for every budget.",
    mean_advantage: (
        "The mean size of a standardized advantage is 2 c_G(p), below its limit 2 √(p(1 - p)) in every finite group "
        "(sum over all groups against the closed form: {off})."
    ),
    difficulty_weight: (
        "Dividing by the std lets very easy and very hard questions weigh more, by 1 / √(p(1 - p)) in large groups; "
        "a small group hardly does it."
    ),
    fidelity: (
        "The group sizes printed for 90, 95 and 99 % of the infinite group's update are the exact ones; the "
        "expansion in 1/G is too optimistic for small groups."
    ),
    std_identity: (
        "An identity: in every mixed group GRPO's update is the group's std times the contrast, and Dr. GRPO's its "
        "square times the contrast (largest difference {off})."
    ),
    flow_clock: "The gradient flow of a single step keeps the published transforms' time, with and without the std.",
    time_to_half: (
        "From success P the std turns a time of order 1/P into one of order 1/√P, if the group is large enough to "
        "see a correct response."
    ),
    colour_values: (
        "With two steps, the std and only all-negative groups coloured, three very different colourings give one "
        "update (largest difference from the closed form {off})."
    ),
    sign_change: (
        "With two steps colouring raises success to first order exactly below 1 - q₁ = q₂(1 - q₂), whatever the "
        "group size (largest difference {off})."
    ),
    uniform_penalty: (
        "What a uniform penalty adds in all-negative groups vanishes in proportion to P, what colouring adds does not."
    ),
    noisy_judge: (
        "A step judge that errs scales what colouring adds: it vanishes where TPR = FPR and reverses beyond (exact "
        "expectation against the closed form: {off})."
    ),
    no_displacement: (
        "On untied logits {falls_grpo} of GRPO's groups push the right answer down, and {falls_spo} of the coloured "
        "ones: GRPO's lazy likelihood displacement needs shared features, that of colouring does not."
    ),
    remedies: (
        "From H = {from_horizon} to {to_horizon} the updates to half success grow per added step by a factor of "
        "{growth_grpo} under GRPO, {growth_sign} under Sign and {growth_ngrpo} under NGRPO, but by {growth_lens} under "
        "the LENS-like penalty, {growth_spo} under colouring and {growth_spo_prefix} with credit to the correct prefix."
    ),
}

LITERATURE = tuple(Result(f.__name__, f, f"draw_{f.__name__}", text) for f, text in _FINDINGS.items())
"""All published results in the order of the report."""
