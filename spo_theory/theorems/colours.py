"""Checks of statements about the colour: scope, slope and threshold, judges
(docs/theory/statements.md#scope-and-colours)."""

from collections.abc import Callable
from itertools import pairwise, product

import numpy as np
from scipy.optimize import brentq

from spo_theory.dynamics.maps import solve, updates_to
from spo_theory.exact.update import expected_update
from spo_theory.method import Method
from spo_theory.methods.conventions import READINGS
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.judged import colouring_gain_function
from spo_theory.parts.rewards import Colouring
from spo_theory.theorems.statement import Verdict


def pair_gap_ratio(colouring: Colouring) -> float:
    """``(c_1 - c_0) / (c_2 - c_0)`` of the colours of RTS 0, 1/3 and 2/3: all that three equal steps let through."""
    c = colouring.values(np.arange(3) / 3)
    return float((c[1] - c[0]) / (c[2] - c[0]))


def log_success_rate(chain: ReasoningChain, r: Method) -> np.ndarray:
    """``sum_h (1 - q_h) g_h`` ``(...)``: how fast log success rises to first order, per unit of learning rate."""
    return ((1 - chain.step_success) * expected_update(chain, r)).sum(-1)


def two_step_grid(points: int) -> ReasoningChain:
    """All pairs of ``points`` accuracies, at the middles of equal intervals, as a chain of two steps."""
    axis = (np.arange(points) + 0.5) / points
    return ReasoningChain(step_success=np.stack([a.ravel() for a in np.meshgrid(axis, axis)], axis=1))


PAIRS = ((5.0, 0.5), (10.0, 0.5), (0.5, 10.0), (50.0, 0.9))


def boundary_of_any_group() -> Verdict:
    """Two steps, scope all_negative: colouring adds ``(1-P)^G c_G(s) (1, -q_2)``: its sign is ``1 - p - q (1 - q)``."""
    text = f"31 x 31 starts, G = 2, 3, 8, 16, {len(PAIRS)} pairs (beta, gamma); signs where the gain exceeds 1e-13"
    chain = two_step_grid(31)
    p, q = chain.step_success.T
    side = 1 - p - q * (1 - q)
    for g, (beta, gamma) in product((2, 3, 8, 16), PAIRS):
        coloured = rule("spo", group_size=g, beta=beta, gamma=gamma)
        gain = log_success_rate(chain, coloured) - log_success_rate(chain, rule("grpo", group_size=g))
        wrong = (np.abs(gain) > 1e-13) & ((gain > 0) != (side > 0))
        if wrong.any():
            i = int(np.flatnonzero(wrong)[0])
            return Verdict(False, text, f"p = {p[i]:.3f}, q = {q[i]:.3f}, G = {g}, beta = {beta}: gain {gain[i]:.2g}")
    return Verdict(True, text)


def boundary_with_all_incorrect() -> Verdict:
    """Two steps, scope all_incorrect: the same boundary for every group (it is not, from G = 3 on)."""
    text = "31 x 31 starts, G = 2, 3, 8, beta = 5, gamma = 1/2"
    chain = two_step_grid(31)
    p, q = chain.step_success.T
    for g in (2, 3, 8):
        coloured = rule("spo", group_size=g, beta=5.0, scope="all_incorrect")
        gain = log_success_rate(chain, coloured) - log_success_rate(chain, rule("grpo", group_size=g))
        wrong = (np.abs(gain) > 1e-13) & ((gain > 0) != (1 - p > q * (1 - q)))
        if wrong.any():
            i = int(np.argmax(np.where(wrong, np.abs(gain), 0)))
            where = f"p = {p[i]:.3f}, q = {q[i]:.3f}, G = {g}: gain {gain[i]:.2g}"
            return Verdict(False, text, f"{where}, {int(wrong.sum())} starts in all")
    return Verdict(True, text)


def all_incorrect_slows_the_end() -> Verdict:
    """With scope all_incorrect log success rises more slowly than under GRPO from success 0.6 on, for equal steps."""
    text = "equal steps, P = 0.60, 0.61, ..., 0.99, H = 2 to 6, G = 4, 8, 16, beta = 5 and 10, gamma = 1/2"
    success = np.arange(0.6, 0.995, 0.01)
    for h, g, beta in product(range(2, 7), (4, 8, 16), (5.0, 10.0)):
        chain = ReasoningChain(step_success=np.repeat(success[:, None] ** (1 / h), h, axis=1))
        slow = log_success_rate(chain, rule("spo", group_size=g, beta=beta, scope="all_incorrect"))
        ratio = slow / log_success_rate(chain, rule("grpo", group_size=g))
        if (ratio >= 1).any():
            i = int(np.argmax(ratio))
            where = f"H = {h}, G = {g}, beta = {beta}, P = {success[i]:.2f}"
            return Verdict(False, text, f"{where}: {ratio[i]:.4f} times GRPO's")
    return Verdict(True, text)


def three_steps_have_one_number() -> Verdict:
    """H = 3, scope all_negative, eps = 0: beta and gamma act through `pair_gap_ratio` alone."""
    text = "G = 3, 8; 27 starts; beta = 3, 8, 20 with the gamma that gives the same ratio as (5, 1/2); to 1e-10"
    axis = (0.2, 0.5, 0.8)
    chain = ReasoningChain(step_success=list(product(axis, axis, axis)))
    wanted = pair_gap_ratio(Colouring(5.0, 0.5))
    for g, beta in product((3, 8), (3.0, 8.0, 20.0)):
        gamma = brentq(lambda x, b=beta: pair_gap_ratio(Colouring(b, x)) - wanted, -0.3, 1.3, xtol=1e-14)
        one = expected_update(chain, rule("spo", group_size=g, beta=5.0, gamma=0.5))
        two = expected_update(chain, rule("spo", group_size=g, beta=beta, gamma=gamma))
        if (error := float(np.abs(one - two).max())) > 1e-10:
            return Verdict(False, text, f"G = {g}, beta = {beta}, gamma = {gamma}: {error:.1e} apart")
    return Verdict(True, text)


def _monotone(vary: str, values: tuple[float, ...]) -> Verdict:
    axis = (0.1, 0.3, 0.5, 0.7, 0.9)
    chain = ReasoningChain(step_success=list(product(axis, axis, axis)))
    fixed = {"beta": (2.0, 5.0, 10.0, 20.0), "gamma": (0.1, 0.3, 0.5, 0.7)}["gamma" if vary == "beta" else "beta"]
    other = "gamma" if vary == "beta" else "beta"
    listed = [", ".join(map(str, v)) for v in (values, fixed)]
    text = f"H = 3, 125 starts, G = 3 and 8, {vary} = {listed[0]}, {other} = {listed[1]}"
    for g, at in product((3, 8), fixed):
        updates = [expected_update(chain, rule("spo", group_size=g, **{vary: v, other: at})) for v in values]
        for (low, before), (high, after) in pairwise(zip(values, updates, strict=True)):
            rise = (after - before) * np.array([-1.0, 1.0, -1.0])  # steps 1 and 3 should not rise, step 2 not fall
            if (rise < -1e-12).any():
                n, h = np.argwhere(rise < -1e-12)[0]
                where = f"q = {chain.step_success[n].tolist()}, G = {g}, {other} = {at}, {vary} {low} to {high}"
                return Verdict(False, text, f"{where}: step {h + 1} changes by {(after - before)[n, h]:.2g}")
    return Verdict(True, text)


def monotone_in_gamma() -> Verdict:
    """H = 3: raising gamma never raises the updates of steps 1 and 3 and never lowers that of step 2."""
    return _monotone("gamma", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))


def monotone_in_beta() -> Verdict:
    """H = 3: raising beta never raises the updates of steps 1 and 3 and never lowers that of step 2 (not so)."""
    return _monotone("beta", (0.5, 1.0, 2.0, 5.0, 10.0, 20.0))


def _half_times(scope: str) -> list[tuple[int, dict[str, float]]]:
    rows = []
    for h in (2, 4, 6, 8):
        chain = ReasoningChain(step_success=[0.3] * h)
        runs = {name: solve(chain, rule("spo", reading=name, scope=scope), 120) for name in READINGS}
        rows.append((h, {name: updates_to(curve) for name, curve in runs.items()}))
    return rows


def readings_agree(scope: str) -> Verdict:
    """Both readings of the paper's beta and gamma reach half success within 2 % of each other."""
    text = f"scope {scope}, q = 0.3 at H = 2, 4, 6, 8 steps, G = 8, learning rate 1, population std without eps"
    for h, times in _half_times(scope):
        one, two = times.values()
        if abs(one / two - 1) > 0.02:
            return Verdict(False, text, f"H = {h}: " + ", ".join(f"{n} {t:.1f}" for n, t in times.items()))
    return Verdict(True, text)


def best_colouring(
    chain: ReasoningChain, group_size: int, scope: str = "all_negative"
) -> tuple[float, float, np.ndarray]:
    """The best of 15 x 15 pairs (beta, gamma) for one question, and the gain of all of them ``(15, 15)``.

    beta from 0.5 to 50 (geometric), gamma from -0.2 to 1.2. Gain: what colouring adds to the rate of log success, to
    first order. Returns (beta, gamma, gains), gains ``[beta, gamma]``. Derived in
    docs/theory/statements.md#scope-and-colours.
    """
    plain = log_success_rate(chain, rule("grpo", group_size=group_size))
    pairs = [[rule("spo", group_size=group_size, beta=b, gamma=c, scope=scope) for c in GAMMAS] for b in BETAS]
    gains = np.array([[float(log_success_rate(chain, r) - plain) for r in row] for row in pairs])
    i, j = np.unravel_index(int(np.argmax(gains)), gains.shape)
    return float(BETAS[i]), float(GAMMAS[j]), gains


BETAS, GAMMAS = np.geomspace(0.5, 50, 15), np.linspace(-0.2, 1.2, 15)


def one_best_colouring() -> Verdict:
    """One pair (beta, gamma) is best for every start (it is not): H = 3, G = 8, scope all_negative."""
    text = "q = (0.3, 0.3, 0.3) and (0.8, 0.5, 0.2), G = 8, 15 x 15 pairs with beta 0.5 to 50, gamma -0.2 to 1.2"
    starts = ((0.3, 0.3, 0.3), (0.8, 0.5, 0.2))
    found = [best_colouring(ReasoningChain(step_success=q), 8) for q in starts]
    for (q, (beta, gamma, gains)), (_, _, other) in zip(zip(starts, found, strict=True), reversed(found), strict=True):
        at = np.unravel_index(int(np.argmax(other)), other.shape)
        if gains[at] < gains.max() * (1 - 1e-6):
            loss = 1 - gains[at] / gains.max()
            return Verdict(
                False,
                text,
                f"at q = {q} best is beta = {beta:.3g}, gamma = {gamma:.2g}; the other start's "
                f"best pair gains {loss:.1%} less there",
            )
    return Verdict(True, text)


def _gain(q: tuple[float, ...], group_size: int) -> Callable[[float, float], float]:
    return colouring_gain_function(ReasoningChain(step_success=q), rule("spo", group_size=group_size, beta=5.0))


CHAINS = ((0.2, 0.2), (0.9, 0.5), (0.3, 0.5, 0.4), (0.93, 0.67, 0.64), (0.5, 0.4, 0.6, 0.3))


def useless_judge_is_silent() -> Verdict:
    """With ``miss + false_alarm = 1`` the expected update is GRPO's exactly, for every chain and group size."""
    text = f"{len(CHAINS)} chains, G = 3 and 8, miss = 0, 0.1, ..., 1; to 1e-13"
    for q, g in product(CHAINS, (3, 8)):
        gain = _gain(q, g)
        for i in range(11):
            if abs(found := gain(i / 10, 1 - i / 10)) > 1e-13:
                return Verdict(False, text, f"q = {q}, G = {g}, miss = {i / 10:g}: gain {found:g}")
    return Verdict(True, text)


def better_than_useless_helps() -> Verdict:
    """Where colouring helps with a perfect judge, it helps iff ``miss + false_alarm < 1`` (not always)."""
    text = f"{len(CHAINS)} chains, G = 3, miss and false_alarm in 0.02, 0.34, 0.66, 0.98"
    rates = (0.02, 0.34, 0.66, 0.98)
    gains = {q: _gain(q, 3) for q in CHAINS}
    for (q, gain_of), miss, alarm in product(gains.items(), rates, rates):
        perfect, gain = gain_of(0.0, 0.0), gain_of(miss, alarm)
        if perfect > 0 and abs(miss + alarm - 1) > 0.01 and (gain > 0) != (miss + alarm < 1):
            where = f"q = {q}, G = 3, miss = {miss:g}, false_alarm = {alarm:g}: gain {gain:.2g}, perfect {perfect:.2g}"
            return Verdict(False, text, where)
    return Verdict(True, text)
