"""Checks of statements about learning dynamics: rates, times, limits (docs/theory/statements.md#rates)."""

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np

from spo_theory.dynamics.escape import collapse_rate, fewest_updates, lone_failure_update, pair_colouring_time
from spo_theory.dynamics.flow import flow_time
from spo_theory.dynamics.maps import solve, updates_to
from spo_theory.exact.update import expected_update, update_function
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.options import option_world
from spo_theory.theorems.statement import Verdict

START = (0.5, 0.5)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def two_step_paths(count: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Logits ``(2,)`` after k = 1..count updates of the paper's two-step model from (1/2, 1/2): coloured, GRPO.

    Its closed increments (paper, Section 3.2), in extended precision.
    """
    coloured, plain = np.zeros(2, np.longdouble), np.zeros(2, np.longdouble)
    for k in range(1, count + 1):
        p, q = _sigmoid(coloured)
        coloured = coloured + np.array([p * (1 - p), p * p * q * (1 - q)])
        p, q = _sigmoid(plain)
        plain = plain + np.array([p * (1 - p) * q, p * q * (1 - q)])
        yield k, coloured, plain


def both_succeed() -> Verdict:
    """Theorem 3.3 (i): from (1/2, 1/2) success tends to 1 under both rules: increments are positive until q = 1."""
    text = "k = 1 to 20,000: every increment positive, and k (1 - success) within 2 +- 0.01 at the end, its limit"
    last = (np.zeros(2), np.zeros(2))
    for k, *now in two_step_paths(20_000):
        for name, before, after in zip(("coloured", "GRPO"), last, now, strict=True):
            if (after <= before).any():
                return Verdict(False, text, f"{name}, k = {k}: a logit does not rise")
        last = (now[0], now[1])
    for name, logits in zip(("coloured", "GRPO"), last, strict=True):
        left = k * float(1 - np.prod(_sigmoid(logits)))
        if abs(left - 2) > 0.01:
            return Verdict(False, text, f"{name}: k (1 - success) = {left:.3f} at k = {k}")
    return Verdict(True, text)


def first_step_ahead() -> Verdict:
    """Theorem 3.3 (ii): from (1/2, 1/2) the first step is ahead under colouring after every k >= 1 updates."""
    text = "k = 1 to 20,000"
    for k, coloured, plain in two_step_paths(20_000):
        if coloured[0] <= plain[0]:
            return Verdict(False, text, f"k = {k}")
    return Verdict(True, text)


def success_ahead() -> Verdict:
    """Theorem 3.3 (iii): from (1/2, 1/2) success is higher under colouring after every k >= 1 updates."""
    text = "k = 1 to 20,000; k^2 times the difference of log success tends to 4.42 there, rounding is 1e-9 of it"
    for k, coloured, plain in two_step_paths(20_000):
        ahead = float(np.log1p(np.exp(-plain)).sum() - np.log1p(np.exp(-coloured)).sum())
        if ahead <= 0:
            return Verdict(False, text, f"k = {k}: {ahead:.2g}")
    return (
        Verdict(True, text) if 4.40 < k * k * ahead < 4.44 else Verdict(False, text, f"k^2 gap = {k * k * ahead:.3f}")
    )


def ahead_from_everywhere() -> Verdict:
    """Two steps, G = 2: success is higher under colouring after every update, from every start (it is not)."""
    text = "9 x 9 starts, 50 updates"
    axis = [i / 10 for i in range(1, 10)]
    for start in product(axis[::-1], axis):
        chain = ReasoningChain(step_success=start)
        coloured, plain = (solve(chain, rule(n, group_size=2), 50)["success"] for n in ("spo", "grpo"))
        behind = np.flatnonzero(coloured.to_numpy()[1:] < plain.to_numpy()[1:]) + 1
        if behind.size:
            return Verdict(False, text, f"from {start}: behind after {behind[0]} to {behind[-1]} updates")
    return Verdict(True, text)


def one_early_step_gains() -> Verdict:
    """Two steps, G = 2, learning rate 1, p <= 0.7: one coloured update raises success more than one of GRPO."""
    text = "p = 0.005, 0.010, ..., 0.7 times q = 0.005, ..., 0.995"
    p, q = (a.ravel() for a in np.meshgrid(np.arange(1, 141) / 200, np.arange(1, 200) / 200))
    x, y = np.log(p) - np.log1p(-p), np.log(q) - np.log1p(-q)
    gain = -np.logaddexp(0, -(x + p * (1 - p))) + np.logaddexp(0, -(x + p * (1 - p) * q))
    gain += -np.logaddexp(0, -(y + p * p * q * (1 - q))) + np.logaddexp(0, -(y + p * q * (1 - q)))
    if (gain <= 0).any():
        i = int(np.argmin(gain))
        return Verdict(False, text, f"p = {p[i]:g}, q = {q[i]:g}: {gain[i]:.2g}")
    return Verdict(True, text)


def grpo_escape_is_exponential() -> Verdict:
    """GRPO from steps of accuracy q needs more updates than a bound that grows by a factor near 1 / q with each one."""
    text = "q = 0.2 and 0.5, G = 2, 8, 64: H = 3 and 6 by the exact map; the bound's growth from H = 24 to 25"
    for q, g in product((0.2, 0.5), (2, 8, 64)):
        for h in (3, 6):
            bound = fewest_updates(q**h, h, g) if q**h < 0.5 else 0
            curve = solve(ReasoningChain(step_success=[q] * h), rule("grpo", group_size=g), bound)
            if curve["success"].iloc[-1] >= 0.5:
                return Verdict(False, text, f"q = {q}, G = {g}, H = {h}: within {bound} updates")
        growth = fewest_updates(q**25, 25, g) / fewest_updates(q**24, 24, g)
        if abs(growth * q * 25 / 24 - 1) > 0.01:
            return Verdict(False, text, f"q = {q}, G = {g}: the bound grows by {growth:.3f} a step")
    return Verdict(True, text)


def pair_colouring_is_polynomial() -> Verdict:
    """At G = 2 coloured flow reaches half success within ``4 H (clock(1 - 1/(2H)) - clock(q))``, of order H^2."""
    text = "q = 0.05, 0.3, 0.6, H = 1 to 24 by the flow; the bound over H^2 from H = 100 to 10,000"
    for q, h in product((0.05, 0.3, 0.6), (1, 2, 3, 6, 12, 24)):
        time = flow_time(ReasoningChain(step_success=[q] * h), rule("spo", group_size=2))
        if time > pair_colouring_time(q, h) * (1 + 1e-9):
            return Verdict(False, text, f"q = {q}, H = {h}: {time:.4g} > {pair_colouring_time(q, h):.4g}")
    growth = pair_colouring_time(0.3, 10_000) / pair_colouring_time(0.3, 100) / 100**2
    return Verdict(True, text) if growth < 1.01 else Verdict(False, text, f"bound over H^2 grows by {growth:.3f}")


def colouring_is_polynomial() -> Verdict:
    """Updates to half success under colouring grow more slowly than H^2 between H = 4 and 32, at G = 8 and 64."""
    text = "q = 0.3, beta = 5, gamma = 1/2, G = 8 and 64, H = 4, 8, 16, 32"
    for g in (8, 64):
        times = []
        for h in (4, 8, 16, 32):
            chain = ReasoningChain(step_success=[0.3] * h)
            times.append(updates_to(solve(chain, rule("spo", group_size=g, beta=5.0), 400)))
        for h, (one, two) in zip((4, 8, 16), pairwise(times), strict=True):
            if not np.log2(two / one) < 2:
                return Verdict(False, text, f"G = {g}: {one:.1f} at H = {h}, {two:.1f} at twice that")
    return Verdict(True, text)


def outcome_rules_stall() -> Verdict:
    """A rule that sees correctness alone, with advantages up to M in size, moves step h by at most 2 M P (1 - q_h)."""
    text = "GRPO, NGRPO and sign; G = 2, 8, 32; 200 random chains of 1 to 6 steps"
    rng = np.random.default_rng(0)
    for g, (name, most) in product((2, 8, 32), (("grpo", "std"), ("ngrpo", "virtual"), ("sign", "one"))):
        limit = {"std": np.sqrt(g - 1), "virtual": np.sqrt(g), "one": 1.0}[most]
        for h in range(1, 7):
            chain = ReasoningChain(step_success=rng.uniform(0.01, 0.99, (34, h)))
            bound = 2 * limit * chain.success[:, None] * (1 - chain.step_success)
            over = np.abs(expected_update(chain, rule(name, group_size=g))) > bound * (1 + 1e-12)
            if over.any():
                where = chain.step_success[over.any(1)][0].tolist()
                return Verdict(False, text, f"{name}, G = {g}, q = {where}")
    return Verdict(True, text)


def options_even_out() -> Verdict:
    """A softmax step's log-odds move ``1 + sum rho^2`` times a single logit's update, rho the wrong options' shares."""
    text = "100 random tables of 3 steps and 4 options, GRPO and colouring, G = 4; to 1e-11, and the shares' direction"
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (100, 3, 4))
    pi = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    rho = pi[..., 1:] / pi[..., 1:].sum(-1, keepdims=True)
    chain = ReasoningChain(step_success=pi[..., 0])
    for name in ("grpo", "spo"):
        r = rule(name, group_size=4)
        g = np.asarray(update_function(option_world(logits), r)(logits))
        single = expected_update(chain, r)
        moved = g[..., 0] - (rho * g[..., 1:]).sum(-1)
        if (np.abs(moved - (1 + (rho**2).sum(-1)) * single) > 1e-11).any():
            return Verdict(False, text, f"{name}: the log-odds move differently")
        crowd = 2 * (rho**2 * (g[..., 1:] - (rho * g[..., 1:]).sum(-1, keepdims=True))).sum(-1)
        if (crowd * single > 1e-15).any():
            return Verdict(False, text, f"{name}: wrong options concentrate while the right one is learnt")
    return Verdict(True, text)


def spread_makes_silent_groups() -> Verdict:
    """A spread of difficulty never lowers the share of all-negative groups at the same mean success (Jensen)."""
    text = "1,000 random populations of 2 to 20 questions, G = 2, 8, 64"
    rng = np.random.default_rng(0)
    for _ in range(1000):
        a, b = rng.uniform(0.2, 3, 2)
        p = rng.beta(a, b, size=int(rng.integers(2, 21)))
        for g in (2, 8, 64):
            if ((1 - p) ** g).mean() < (1 - p.mean()) ** g * (1 - 1e-12):
                return Verdict(False, text, f"P = {p.tolist()}, G = {g}")
    return Verdict(True, text)


def no_collapse_without_interference() -> Verdict:
    """A lone failure lowers no log-odds unless the kernel has a negative entry, at any learning rate."""
    text = "100 random chains of 1 to 6 steps, GRPO, Dr. GRPO and colouring (all_incorrect)"
    rng = np.random.default_rng(0)
    rules = (rule("grpo"), rule("dr_grpo"), rule("spo", scope="all_incorrect"))
    for n in range(100):
        chain = ReasoningChain(step_success=rng.uniform(0.01, 0.999, 1 + n % 6))
        h = chain.horizon
        for r in rules:
            closed = lone_failure_update(chain, r)
            for fails in range(h):
                k = np.array([fails] + [h] * (r.group_size - 1))
                a = r.advantages(k == h, k, np.full(k.shape, h), dtype=np.dtype(float))
                if np.abs((a[:, None] * chain.scores[k]).mean(0) - closed[fails]).max() > 1e-14:
                    return Verdict(False, text, f"{r.name}, q = {chain.step_success.tolist()}, step {fails + 1}")
            if (closed < 0).any() or collapse_rate(chain, r, np.ones((h, h)), level=float(chain.success) / 2)[1] != -1:
                return Verdict(False, text, f"{r.name}, q = {chain.step_success.tolist()}")
    return Verdict(True, text)
