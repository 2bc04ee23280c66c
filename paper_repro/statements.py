"""One table for every statement of `spo_theory.theorems.catalogue`: what its figure shows, computed by the exact
engine.

Every function returns a tidy table with columns panel, series, kind ("line", "points" or "cell"), x, y and, for the
cells of a map, z. `PICTURES` says which statements a table belongs to and how it is drawn.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from figures.style import label
from spo_theory.dynamics.clipped import solve_clipped
from spo_theory.dynamics.diffusion import diffuse
from spo_theory.dynamics.escape import collapse_rate, escape_time, fewest_updates, pair_colouring_time
from spo_theory.dynamics.flow import flow_time
from spo_theory.dynamics.maps import escape_map, solve, updates_to
from spo_theory.dynamics.sampled import simulate
from spo_theory.exact.update import expected_update
from spo_theory.methods.conventions import READINGS
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.judged import colouring_gain_function, useful_judges
from spo_theory.outcomes.lengths import Normalization, expected_update_normalized
from spo_theory.outcomes.options import solve_options
from spo_theory.parts.rewards import Colouring
from spo_theory.theorems.catalogue import THEOREMS
from spo_theory.theorems.colours import BETAS, GAMMAS, best_colouring, log_success_rate, pair_gap_ratio
from spo_theory.theorems.groups import all_groups
from spo_theory.theorems.rates import two_step_paths


def _rows(series: str, x: Any, y: Any, kind: str = "line", panel: str = "", **more: Any) -> pd.DataFrame:
    return pd.DataFrame({"panel": panel, "series": series, "kind": kind, "x": x, "y": y, **more})


def _join(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(list(frames), ignore_index=True)


def _equal(success: Any, horizon: int) -> ReasoningChain:
    """Questions of ``horizon`` equal steps, one for each success probability."""
    q = np.asarray(success, dtype=float)[:, None] ** (1 / horizon)
    return ReasoningChain(step_success=np.repeat(q, horizon, axis=1))


def silence(horizon: int = 4, group_size: int = 4) -> pd.DataFrame:
    """Smallest and largest max |advantage| of all-negative groups by the number of different first errors in them."""
    classes = all_groups(horizon, group_size)
    negative = classes[(classes < horizon).all(1)]
    different = np.array([len(set(row)) for row in negative.tolist()])
    frames = []
    for name in ("grpo", "spo"):
        a = rule(name, group_size=group_size).advantages(
            negative == horizon, negative, np.full(negative.shape, float(horizon))
        )
        largest = np.abs(a).max(1)
        for n in np.unique(different):
            found = largest[different == n]
            frames.append(_rows(label(name), [n, n], [found.min(), found.max()], "points"))
    return _join(frames)


def mixed_groups(horizon: int = 4, group_size: int = 6) -> pd.DataFrame:
    """Largest change of an advantage that colouring makes in a group with n correct responses, by scope."""
    classes = all_groups(horizon, group_size)
    correct, lengths = classes == horizon, np.full(classes.shape, float(horizon))
    plain = rule("grpo", group_size=group_size).advantages(correct, classes, lengths)
    frames = []
    for scope in ("all_negative", "all_incorrect"):
        a = rule("spo", group_size=group_size, beta=5.0, scope=scope).advantages(correct, classes, lengths)
        largest = [np.abs(a - plain)[correct.sum(1) == n].max() for n in range(group_size + 1)]
        frames.append(_rows(f"scope {scope}", range(group_size + 1), largest, "points"))
    return _join(frames)


def pair_updates(horizon: int = 6, step_success: float = 0.6) -> pd.DataFrame:
    """Expected update of every step at G = 2: the engine (points) and the closed forms (lines)."""
    chain = ReasoningChain(step_success=[step_success] * horizon)
    step = np.arange(1, horizon + 1)
    before, after, whole = step_success ** (step - 1.0), step_success**step, step_success**horizon
    forms = {"grpo": np.full(horizon, whole), "spo": before * after, "spo_prefix": after}
    frames = []
    for name, form in forms.items():
        frames.append(_rows(label(name), step, form * (1 - step_success)))
        update = expected_update(chain, rule(name, group_size=2))
        frames.append(_rows(label(name), step, update, "points"))
    return _join(frames)


def push_bound() -> pd.DataFrame:
    """GRPO's update over (1 - q) against its bound sqrt(G - 1) P / (1 - P), three steps."""
    success = np.logspace(-6, np.log10(0.95), 60)
    chain = _equal(success, 3)
    frames = []
    for g in (2, 8, 64):
        push = expected_update(chain, rule("grpo", group_size=g))[:, 0] / (1 - chain.step_success[:, 0])
        frames.append(_rows(f"G = {g}", success, push))
        frames.append(_rows(f"G = {g}, bound", success, np.sqrt(g - 1) * success / (1 - success), "dashed"))
    return _join(frames)


def theorem_33(updates: int = 20_000) -> pd.DataFrame:
    """The paper's two-step model from (1/2, 1/2): failures left, lead of step 1, lead of success, all over k."""
    marks = set(np.unique(np.geomspace(1, updates, 120).astype(int)).tolist())
    rows = []
    for k, coloured, plain in two_step_paths(updates):
        if k in marks:
            miss = [np.log1p(np.exp(-x)).sum() for x in (coloured, plain)]
            rows.append(
                (k, *(float(k * -np.expm1(-m)) for m in miss), float(coloured[0] - plain[0]), float(miss[1] - miss[0]))
            )
    k, left, left_plain, step, success = np.array(rows).T
    return _join(
        [
            _rows(label("spo"), k, left, panel="(i) k times the failure rate"),
            _rows(label("grpo"), k, left_plain, panel="(i) k times the failure rate"),
            _rows(
                "lead of step 1's log-odds",
                k,
                step,
                panel="(ii) k times step 1's lead",
            ).assign(y=k * step),
            _rows("lead of log success", k, k**2 * success, panel="(iii) k² times success's lead"),
        ]
    )


def leads_by_start() -> pd.DataFrame:
    """Success under colouring minus success under GRPO over 60 updates, two steps, G = 2, from several starts."""
    frames = []
    for start in ((0.5, 0.5), (0.2, 0.8), (0.8, 0.2), (0.9, 0.5), (0.95, 0.3)):
        chain = ReasoningChain(step_success=start)
        curves = [solve(chain, rule(n, group_size=2), 60)["success"] for n in ("spo", "grpo")]
        frames.append(_rows(f"p = {start[0]:g}, q = {start[1]:g}", np.arange(61), curves[0] - curves[1]))
    return _join(frames)


def one_update_gain(points: int = 80) -> pd.DataFrame:
    """Change of log success by one coloured update minus that by one of GRPO; two steps, G = 2, learning rate 1."""
    axis = (np.arange(points) + 0.5) / points
    p, q = (a.ravel() for a in np.meshgrid(axis, axis))
    chain = ReasoningChain(step_success=np.stack([p, q], axis=1))
    after = [
        -np.logaddexp(0, -(chain.logits + expected_update(chain, rule(n, group_size=2)))).sum(1)
        for n in ("spo", "grpo")
    ]
    proved = _rows("gains for certain to the left", [0.7, 0.7], [0.0, 1.0], "line", z=np.nan)
    return _join([_rows("gain", p, q, "cell", z=after[0] - after[1]), proved])


def boundaries() -> pd.DataFrame:
    """Starts of the two-step model where colouring and GRPO raise success equally fast, by group size and scope."""
    from scipy.optimize import brentq

    axis = np.linspace(0.02, 0.98, 49)
    frames = [_rows("1 - p = q (1 - q)", 1 - axis * (1 - axis), axis)]
    for scope, g in (("all_negative", 8), ("all_incorrect", 2), ("all_incorrect", 4), ("all_incorrect", 16)):
        pair = (rule("spo", group_size=g, beta=5.0, scope=scope), rule("grpo", group_size=g))

        def gain(p: Any, q: Any, pair: tuple = pair) -> np.ndarray:
            both = np.stack(np.broadcast_arrays(p, q), axis=-1)
            chain = ReasoningChain(step_success=both.reshape(-1, 2))
            return (log_success_rate(chain, pair[0]) - log_success_rate(chain, pair[1])).reshape(both.shape[:-1])

        where = []
        grid = np.linspace(0.02, 0.995, 80)
        table = gain(grid[None, :], axis[:, None])
        for q, row in zip(axis, table, strict=True):
            change = np.flatnonzero((row[:-1] > 1e-15) & (row[1:] < -1e-15))
            if change.size:
                i = change[0]
                root = brentq(lambda p, q=q, gain=gain: float(gain(p, q).item()), grid[i], grid[i + 1], xtol=1e-6)
                where.append((root, q))
        x, y = zip(*where, strict=True)
        frames.append(_rows(f"{scope}, G = {g}", x, y, "points" if scope == "all_negative" else "line"))
    return _join(frames)


def end_of_training() -> pd.DataFrame:
    """Rate of log success over GRPO's against success, equal steps, G = 8, beta = 5, by scope and H."""
    success = np.linspace(0.3, 0.995, 60)
    frames = []
    for scope, h in product(("all_negative", "all_incorrect"), (2, 4, 6)):
        chain = _equal(success, h)
        ratio = log_success_rate(chain, rule("spo", beta=5.0, scope=scope)) / log_success_rate(chain, rule("grpo"))
        frames.append(_rows(f"H = {h}", success, ratio, panel=f"scope {scope}"))
    return _join(frames)


def escape_bounds() -> pd.DataFrame:
    """Updates to half success from q = 0.3: GRPO (G = 8) with its lower bound and asymptote, pairs with "
    "their bound."""
    horizons = np.arange(2, 11)
    chains = [ReasoningChain(step_success=[0.3] * int(h)) for h in horizons]
    grpo = [flow_time(c, rule("grpo"), longest=1e12) for c in chains]
    pairs = [flow_time(c, rule("spo", group_size=2), longest=1e12) for c in chains]
    lower = [max(fewest_updates(float(c.success), c.horizon, 8), 1) for c in chains]
    return _join(
        [
            _rows("GRPO, G = 8", horizons, grpo, "points"),
            _rows("asymptote of GRPO", horizons, [escape_time(c, 8) for c in chains]),
            _rows("GRPO needs at least", horizons, lower, "dashed"),
            _rows("colouring, G = 2", horizons, pairs, "points"),
            _rows(
                "colouring at G = 2 needs at most",
                horizons,
                [pair_colouring_time(0.3, int(h)) for h in horizons],
                "dashed",
            ),
        ]
    )


def colouring_exponent() -> pd.DataFrame:
    """Local exponent in H of the updates to half success under colouring, beta = 5, from q = 0.3."""
    horizons = (3, 4, 6, 8, 12, 16, 24, 32)
    frames = []
    for g in (2, 8, 64):
        times = np.array(
            [
                updates_to(solve(ReasoningChain(step_success=[0.3] * h), rule("spo", group_size=g, beta=5.0), 500))
                for h in horizons
            ]
        )
        frames.append(_rows(f"G = {g}", horizons[1:], np.diff(np.log(times)) / np.diff(np.log(horizons)), "both"))
    return _join(frames)


def outcome_stall() -> pd.DataFrame:
    """Update of step 1 against success: the share of failures that survive step 1 is fixed at 0.3, two "
    "steps, G = 8."""
    p = np.logspace(-6, -1, 40)
    first = p + 0.3 * (1 - p)
    chain = ReasoningChain(step_success=np.stack([first, p / first], axis=-1))
    return _join(_rows(label(n), p, expected_update(chain, rule(n))[:, 0]) for n in ("grpo", "ngrpo", "sign", "spo"))


def options(updates: int = 60) -> pd.DataFrame:
    """One step with four options under GRPO: success and concentration of the wrong options."""
    frames = []
    for name, wrong in (
        ("wrong options equal", [0.0, 0.0, 0.0]),
        ("one likely", [2.0, 0.0, -2.0]),
        ("one alone", [3.0, -9.0, -9.0]),
    ):
        right = np.log(np.exp(wrong).sum() / 9)  # 0.1 success at the start, however the rest is shared
        path = solve_options(np.array([[right, *wrong]]), rule("grpo"), updates)
        frames.append(_rows(name, path["step"], path["success"], panel="success"))
        frames.append(_rows(name, path["step"], path["concentration_1"], panel="concentration of wrong options"))
    return _join(frames)


def difficulty_spread() -> pd.DataFrame:
    """Share of all-negative groups at mean success 0.1 for Beta-distributed difficulty, against G."""
    from scipy.special import betaln

    sizes = np.unique(np.geomspace(1, 128, 40).astype(int))
    frames = [_rows("all questions alike", sizes, 0.9**sizes)]
    for total in (10.0, 2.0, 0.5):
        a, b = 0.1 * total, 0.9 * total
        share = np.exp(betaln(a, b + sizes) - betaln(a, b))  # E (1 - P)^G for P ~ Beta(a, b)
        frames.append(_rows(f"Beta, sd of P {np.sqrt(0.09 / (total + 1)):.2f}", sizes, share))
    return _join(frames)


def collapse(seeds: int = 200) -> pd.DataFrame:
    """Share of runs that fall below half success within 400 updates, against the learning rate over its "
    "prediction."""
    features = np.random.default_rng(1).normal(size=(8, 4))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    chain, r = ReasoningChain(step_success=[0.99] * 8), rule("grpo")
    predicted, _ = collapse_rate(chain, r, features @ features.T)
    times = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0])
    frames = [_rows("predicted", [1.0, 1.0], [0.0, 1.0], "dashed")]
    for name, kernel in (
        ("kernel with interference", features @ features.T),
        ("no negative entry", np.abs(features @ features.T)),
    ):
        fell = []
        for t in times:
            runs = simulate(chain, r, 400, float(t) * predicted, questions=1, seeds=seeds, kernel=kernel)
            fell.append((runs.groupby("seed")["success"].min() < 0.5).mean())
        share = np.array(fell)
        half = 1.96 * np.sqrt(share * (1 - share) / seeds)
        frames.append(_rows(name, times, share, "both", low=share - half, high=share + half))
    return _join(frames)


def one_number() -> pd.DataFrame:
    """Updates of three steps against the middle colour's place, for three slopes: all fall on one curve."""
    chain = ReasoningChain(step_success=(0.5, 0.5, 0.5))
    frames = []
    for beta, kind in ((3.0, "line"), (8.0, "points"), (20.0, "points")):
        gammas = np.linspace(-0.2, 1.2, 29)
        place = np.array([pair_gap_ratio(Colouring(beta, g)) for g in gammas])
        updates = np.array([expected_update(chain, rule("spo", beta=beta, gamma=float(g))) for g in gammas])
        for h in range(3):
            frames.append(_rows(rf"$\beta$ = {beta:g}", place, updates[:, h], kind, panel=f"step {h + 1}"))
    return _join(frames)


def slope_and_threshold() -> pd.DataFrame:
    """Updates of three steps against gamma (at beta 5) and against beta (at gamma 0.1 and 0.5)."""
    chain = ReasoningChain(step_success=(0.5, 0.5, 0.5))
    frames = []
    gammas, betas = np.linspace(-0.5, 1.5, 41), np.geomspace(0.3, 40, 41)
    sweeps = [(r"against $\gamma$, $\beta$ = 5", gammas, [(5.0, g) for g in gammas])]
    sweeps += [(rf"against $\beta$, $\gamma$ = {g:g}", betas, [(b, g) for b in betas]) for g in (0.1, 0.5)]
    for panel, x, pairs in sweeps:
        updates = np.array([expected_update(chain, rule("spo", beta=float(b), gamma=float(g))) for b, g in pairs])
        for h in range(3):
            frames.append(_rows(f"step {h + 1}", x, updates[:, h] / updates[0, h], panel=panel))
    return _join(frames)


def readings() -> pd.DataFrame:
    """Updates to half success against H under both readings of the paper's beta and gamma, G = 8, from q = 0.3."""
    horizons = (2, 3, 4, 6, 8, 10)
    frames = []
    for scope, name in product(("all_negative", "all_incorrect"), READINGS):
        times = [
            updates_to(solve(ReasoningChain(step_success=[0.3] * h), rule("spo", reading=name, scope=scope), 150))
            for h in horizons
        ]
        beta, gamma = READINGS[name]
        frames.append(
            _rows(rf"{name}: $\beta$ = {beta:g}, $\gamma$ = {gamma:g}", horizons, times, "both", panel=f"scope {scope}")
        )
    return _join(frames)


def best_pair() -> pd.DataFrame:
    """What colouring adds to the rate of log success over (beta, gamma), relative to the best pair, for "
    "two starts."""
    frames = []
    for q in ((0.3, 0.3, 0.3), (0.8, 0.5, 0.2)):
        beta, gamma, gains = best_colouring(ReasoningChain(step_success=q), 8)
        panel = "q = " + ", ".join(f"{x:g}" for x in q)
        x, y = np.meshgrid(np.log10(BETAS), GAMMAS, indexing="ij")
        frames.append(_rows("gain over the best", x.ravel(), y.ravel(), "cell", panel, z=(gains / gains.max()).ravel()))
        frames.append(_rows("best", [np.log10(beta)], [gamma], "points", panel, z=np.nan))
    return _join(frames)


def judges(points: int = 41) -> pd.DataFrame:
    """What colouring adds to the rate of log success under an erring judge, and where it adds nothing, at three P."""
    rates = (np.arange(points) + 0.5) / points
    frames = []
    starts = {
        "P = 0.027, three equal steps": (0.3,) * 3,
        "P = 0.40, late steps lag": (0.93, 0.67, 0.64),
        "P = 0.73, three equal steps": (0.9,) * 3,
    }
    for panel, q in starts.items():
        chain, r = ReasoningChain(step_success=q), rule("spo", group_size=3, beta=5.0)
        gain = colouring_gain_function(chain, r)
        z = np.array([[gain(float(m), float(f)) for f in rates] for m in rates])
        x, y = np.meshgrid(rates, rates, indexing="ij")
        frames.append(_rows("gain", x.ravel(), y.ravel(), "cell", panel, z=(z / np.abs(z).max()).ravel()))
        edge = useful_judges(chain, r, rates)
        useless = (edge["miss"] + edge["false_alarm"] - 1).abs() < 1e-8
        for name, part in (
            ("useless judge: miss + false alarm = 1", edge[useless]),
            ("another boundary", edge[~useless]),
        ):
            if len(part):
                frames.append(_rows(name, part["miss"], part["false_alarm"], "points", panel, z=np.nan))
    return _join(frames)


def starts(points: int = 60, updates: int = 300) -> pd.DataFrame:
    """How many times sooner colouring reaches half success than GRPO, over starts: H = 4, G = 8, 300 updates."""
    axis = (np.arange(points) + 0.5) / points
    early, late = (a.ravel() for a in np.meshgrid(axis, axis))
    chain = ReasoningChain(step_success=np.stack([early, early, late, late], axis=1))
    times = {n: escape_map(chain, rule(n), updates) for n in ("grpo", "spo")}
    ratio = np.where(times["grpo"] == 0, 1.0, times["grpo"] / np.where(times["spo"] > 0, times["spo"], 1.0))
    return _rows("GRPO's updates over SPO's", early, late, "cell", z=np.log2(ratio))


def normalizations() -> pd.DataFrame:
    """Expected update of two steps (q = 0.5) against the tokens a wrong response rambles on, by loss "
    "normalization."""
    chain = ReasoningChain(step_success=(0.5, 0.5))
    more = np.linspace(0, 20, 21)
    frames = []
    shown: dict[Normalization, str] = {
        "response": "per response",
        "token": "per token of 8 groups",
        "constant": "constant",
    }
    for name, text in shown.items():
        g = np.array([expected_update_normalized(chain, rule("grpo"), m, name, 2.0, 8) for m in more])
        frames.append(_rows(text, more, g[:, 0] / g[0, 0]))
    return _join(frames)


def inner_updates() -> pd.DataFrame:
    """Success over batches with one to eight clipped updates each (clip 0.2), exact and by sampled groups."""
    chain = ReasoningChain(step_success=[0.4, 0.4])
    frames = []
    for n in (1, 2, 4, 8):
        exact = solve_clipped(chain, rule("spo"), 15, n, 0.5)
        frames.append(_rows(f"{n} per batch", exact["step"], exact["success"]))
        runs = simulate(chain, rule("spo"), 15, 0.5, 512, 20, inner_updates=n).groupby("step")["success"]
        mean, half = runs.mean(), 2.09 * runs.std() / np.sqrt(20)
        frames.append(_rows(f"{n} per batch", mean.index, mean.to_numpy(), "points", low=mean - half, high=mean + half))
    return _join(frames)


def sampling_noise() -> pd.DataFrame:
    """Success over updates of 16 groups: central 80 % of runs with Gaussian steps (lines) and sampled "
    "groups (points)."""
    chain = ReasoningChain(step_success=(0.3, 0.3, 0.3))
    frames = []
    for name in ("grpo", "spo"):
        noisy = diffuse(chain, rule(name), 40, 0.5, 16, 400, seed=1).groupby("step")["success"]
        sampled = simulate(chain, rule(name), 40, 0.5, 16, 400).groupby("step")["success"]
        for level in (0.1, 0.5, 0.9):
            ends = np.append(noisy.quantile(level), np.nan)  # the pen is lifted between the quantiles
            frames.append(_rows(label(name), np.arange(42), ends))
            frames.append(_rows(label(name), range(0, 41, 4), sampled.quantile(level).iloc[::4], "points"))
    return _join(frames)


def verdicts() -> pd.DataFrame:
    """Every statement with its status and what its check found, now: name, statement, status, holds, checked, ..."""
    rows = []
    for theorem in THEOREMS:
        found = theorem.check()
        rows.append({"name": theorem.name, "statement": theorem.statement, "status": theorem.status} | asdict(found))
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Picture:
    """How a table is drawn and which statements it shows; ``axes``: options of `figures.statements.draw`."""

    name: str
    compute: Callable[..., pd.DataFrame]
    title: str
    caption: str
    statements: tuple[str, ...] = ()
    axes: dict[str, Any] | None = None


PICTURES = (
    Picture(
        "silence",
        silence,
        "When an all-negative group speaks",
        "Every all-negative group of 4 responses of 4 steps: smallest and largest of its largest advantages. GRPO is "
        "always silent; colouring is silent only where all responses fail at the same step.",
        ("grpo_is_silent", "colouring_speaks"),
        {"xlabel": "different first errors in the group", "ylabel": "largest |advantage|"},
    ),
    Picture(
        "mixed_groups",
        mixed_groups,
        "What colouring changes in groups with a correct response",
        "Over every group of 6 responses of 4 steps. Scope all_negative changes groups without a correct "
        "response only.",
        ("all_negative_scope_keeps_mixed_groups", "all_incorrect_scope_keeps_mixed_groups"),
        {"xlabel": "correct responses in the group", "ylabel": "largest change of an advantage"},
    ),
    Picture(
        "pair_updates",
        pair_updates,
        "Pairs of responses in closed form",
        "G = 2, six steps of accuracy 0.6. Lines: closed forms; points: the engine. Colouring helps early steps and "
        "slows the last; with credit to the correct prefix alone no step loses against GRPO.",
        ("pair_closed_forms", "last_step_never_gains", "prefix_credit_never_loses"),
        {"xlabel": "step", "ylabel": "expected update of its logit", "logy": True},
    ),
    Picture(
        "push_bound",
        push_bound,
        "GRPO's push is bounded by success",
        "Three equal steps. Solid: expected update over 1 - q; dashed: its bound.",
        ("grpo_push_is_bounded",),
        {"xlabel": "success probability P", "ylabel": "update / (1 - q)", "logx": True, "logy": True},
    ),
    Picture(
        "theorem_33",
        theorem_33,
        "The paper's Theorem 3.3 to 20,000 updates",
        "From p = q = 1/2. (i) the failure rate falls like 2 / k under both rules; (ii) step 1 is always ahead; "
        "(iii) so is success, by 4.42 / k² in the end: the lead is real and vanishes faster than the failures do.",
        ("both_succeed", "first_step_ahead", "success_ahead"),
        {"xlabel": "updates k", "ylabel": "", "logx": True},
    ),
    Picture(
        "leads_by_start",
        leads_by_start,
        "From other starts the lead reverses",
        "Two steps, G = 2. Where step 1 is nearly learned, success is lower under colouring for the first updates.",
        ("ahead_from_everywhere",),
        {"xlabel": "updates", "ylabel": "success, colouring minus GRPO", "zero": True},
    ),
    Picture(
        "one_update_gain",
        one_update_gain,
        "One update at learning rate 1",
        "Two steps, G = 2: change of log success by one coloured update minus that by one of GRPO. For p up to 0.7 a "
        "gain is proved; beyond, the sign depends on q.",
        ("one_early_step_gains",),
        {
            "kind": "map",
            "xlabel": "p, accuracy of step 1",
            "ylabel": "q, accuracy of step 2",
            "zlabel": "gain in log success",
        },
    ),
    Picture(
        "boundaries",
        boundaries,
        "Where colouring stops helping, by scope and group size",
        "Left of a curve colouring raises success faster than GRPO, to first order. With scope all_negative "
        "(points) the curve "
        "is the closed form for every G, beta and gamma; with all_incorrect it moves left as the group grows "
        "(beta = 5, gamma = 1/2).",
        ("first_order_boundary", "always_faster", "boundary_of_any_group", "boundary_with_all_incorrect"),
        {"xlabel": "p, accuracy of step 1", "ylabel": "q, accuracy of step 2", "xlim": (0.4, 1.0)},
    ),
    Picture(
        "end_of_training",
        end_of_training,
        "Colouring every incorrect response slows the end",
        "Rate of log success over GRPO's, G = 8, beta = 5, gamma = 1/2. With scope all_incorrect it is below "
        "1 from success 0.6 on.",
        ("all_incorrect_slows_the_end",),
        {"xlabel": "success probability P", "ylabel": "rate of log success over GRPO's", "zero": 1.0},
    ),
    Picture(
        "escape_bounds",
        escape_bounds,
        "Exponential against polynomial",
        "Time to half success from q = 0.3 in the gradient flow. GRPO stays above a bound that grows by 1/q "
        "with each step; "
        "colouring of pairs stays below one of order H².",
        ("grpo_escape_is_exponential", "pair_colouring_is_polynomial"),
        {"xlabel": "steps per question, H", "ylabel": "updates until success reaches 1/2", "logy": True},
    ),
    Picture(
        "colouring_exponent",
        colouring_exponent,
        "How colouring's time grows with the number of steps",
        "Observed, not proved: between neighbouring H the time grows like H to the power drawn, below 2. "
        "Larger groups are less "
        "often all-negative, so colouring acts less in them.",
        ("colouring_is_polynomial",),
        {"xlabel": "steps per question, H", "ylabel": "local exponent of H"},
    ),
    Picture(
        "outcome_stall",
        outcome_stall,
        "A uniform penalty keeps the stall",
        "Two steps, G = 8; 30 % of the failures survive step 1. Every rule that sees correctness alone "
        "updates in proportion "
        "to P; colouring does not.",
        ("outcome_rules_stall",),
        {"xlabel": "success probability P", "ylabel": "expected update of step 1", "logx": True, "logy": True},
    ),
    Picture(
        "options",
        options,
        "Several options per step",
        "One step, four options, success 0.1 at the start. The fewer wrong options there are in effect, the "
        "faster; while the right "
        "one is learnt the wrong ones even out.",
        ("options_even_out",),
        {"xlabel": "updates", "ylabel": ""},
    ),
    Picture(
        "difficulty_spread",
        difficulty_spread,
        "Difficulty that varies makes silent groups",
        "Mean success 0.1 in all curves. A binomial at the mean success predicts far too few all-negative groups.",
        ("spread_makes_silent_groups",),
        {"xlabel": "group size G", "ylabel": "share of all-negative groups", "logx": True},
    ),
    Picture(
        "collapse",
        collapse,
        "The step size of collapse, predicted",
        "Eight steps that share four random features, success 0.92, one group an update, 200 runs each with "
        "95 % intervals. "
        "Predicted: the learning rate from which one lone failure takes success below 1/2.",
        ("no_collapse_without_interference",),
        {"xlabel": "learning rate over the predicted one", "ylabel": "share of runs that fall below 1/2"},
    ),
    Picture(
        "one_number",
        one_number,
        "Three steps see one number of the colour",
        "q = 1/2, G = 8. Each curve runs through gamma from -0.2 to 1.2: whatever beta, equal places of the "
        "middle colour give "
        "equal updates.",
        ("three_steps_have_one_number",),
        {"xlabel": "place of the middle colour", "ylabel": "expected update"},
    ),
    Picture(
        "slope_and_threshold",
        slope_and_threshold,
        "Raising the threshold and the slope",
        "q = 1/2, G = 8, updates over their leftmost values. Raising gamma moves all three steps one way; "
        "raising beta turns "
        "round when gamma is small.",
        ("monotone_in_gamma", "monotone_in_beta"),
        {"xlabel": "value", "ylabel": "update over its leftmost value"},
    ),
    Picture(
        "readings",
        readings,
        "Both readings of the paper's beta and gamma",
        "With scope all_negative standardization takes out what differs between them; with all_incorrect the "
        "literal reading is "
        "nearly GRPO's outcome reward with a trace of colour, and faster.",
        ("readings_agree", "readings_agree_in_all_incorrect"),
        {"xlabel": "steps per question, H", "ylabel": "updates until success reaches 1/2"},
    ),
    Picture(
        "best_pair",
        best_pair,
        "The best slope and threshold depend on the start",
        "What colouring adds to the rate of log success, over the best of the pairs drawn; G = 8, scope all_negative.",
        ("one_best_colouring",),
        {
            "kind": "map",
            "xlabel": r"$\log_{10} \beta$",
            "ylabel": r"threshold $\gamma$",
            "zlabel": "gain over the best",
        },
    ),
    Picture(
        "judges",
        judges,
        "How bad a judge may be",
        "What colouring adds to the rate of log success, scaled to its largest; G = 3, beta = 5. Blue helps, "
        "red hurts. The line of "
        "useless judges is a boundary at every P; near the end of training others appear, and a perfect "
        "judge may hurt.",
        ("useless_judge_is_silent", "better_than_useless_helps"),
        {"kind": "map", "xlabel": "miss rate", "ylabel": "false-alarm rate", "zlabel": "gain, scaled"},
    ),
    Picture(
        "starts",
        starts,
        "Speed-up over all starts",
        "Four steps, G = 8: the first two at one accuracy, the last two at another. GRPO's updates to half "
        "success over "
        "colouring's, as a power of two; blank: GRPO does not get there within 300 updates.",
        (),
        {
            "kind": "map",
            "xlabel": "accuracy of steps 1 and 2",
            "ylabel": "accuracy of steps 3 and 4",
            "zlabel": "log2 of the speed-up",
        },
    ),
    Picture(
        "normalizations",
        normalizations,
        "Loss normalization when wrong responses ramble",
        "Two steps of accuracy 1/2, G = 8. Update of step 1 over its value without rambling, exactly. "
        "Divided by its own "
        "length, a long wrong response hardly counts; per token, all responses pay for it.",
        (),
        {"xlabel": "tokens after the wrong step", "ylabel": "update of step 1, relative"},
    ),
    Picture(
        "inner_updates",
        inner_updates,
        "Several clipped updates on one batch",
        "Two steps, q = 0.4, SPO, learning rate 0.5, clip 0.2. Lines: exact, an infinite batch; points: 20 "
        "seeds of 512 groups "
        "with 95 % intervals.",
        (),
        {"xlabel": "batches", "ylabel": "success probability"},
    ),
    Picture(
        "sampling_noise",
        sampling_noise,
        "Sampling noise from the exact moments",
        "Three steps, q = 0.3, 16 groups an update: 10th, 50th and 90th percentile of 400 runs. Lines: "
        "Gaussian steps with the "
        "exact mean and covariance; points: sampled groups.",
        (),
        {"xlabel": "updates", "ylabel": "success probability"},
    ),
)
