"""The experiments as lists of jobs, and the functions those jobs call; every function returns one tidy table."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import factorial, prod
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from paper_repro.jobs import Job
from spo_theory.methods.registry import READINGS, Rule, rule
from spo_theory.parts.rewards import Colouring
from spo_theory.validation import check

if TYPE_CHECKING:
    from spo_theory.outcomes.chain import ReasoningChain

BETA, GAMMA = 5.0, 0.5
"""Colouring of all experiments on the chain that do not say otherwise."""

HERE = "paper_repro.experiments"
THEORY = ("spo_theory",)  # the code their results depend on


def build(name: str, group_size: int) -> Rule:
    """A rule by name with the experiments' colouring."""
    options = {"beta": BETA, "gamma": GAMMA} if name == "spo" else {}
    return rule(name, group_size=group_size, **options)


# --- what the jobs compute ---------------------------------------------------------------------------------


def colouring_curves() -> pd.DataFrame:
    """Reward against RTS: both readings of the paper's values and other slopes and thresholds."""
    pairs = [(*values, f"reading: {name}") for name, values in READINGS.items()]
    pairs += [(5.0, 0.5, ""), (10.0, 0.25, ""), (10.0, 0.75, ""), (2.0, 0.5, "")]
    rts = np.linspace(0, 1, 101)
    frames = [
        pd.DataFrame({"beta": b, "gamma": g, "reading": name, "rts": rts, "reward": Colouring(b, g).values(rts)})
        for b, g, name in pairs
    ]
    return pd.concat(frames, ignore_index=True)


def all_negative_probability(horizons: tuple[int, ...], group_sizes: tuple[int, ...]) -> pd.DataFrame:
    """Probability of an all-negative group for H steps of equal accuracy."""
    from spo_theory.outcomes.chain import ReasoningChain

    q = np.concatenate([np.linspace(0.005, 0.995, 100)])
    frames = []
    for h in horizons:
        chain = ReasoningChain(step_success=np.repeat(q[:, None], h, axis=1))
        for g in group_sizes:
            table = {"horizon": h, "group_size": g, "step_success": q, "all_negative": chain.all_negative(g)}
            frames.append(pd.DataFrame(table))
    return pd.concat(frames, ignore_index=True)


def expected_advantage_table(step_success: tuple[float, ...], group_sizes: tuple[int, ...]) -> pd.DataFrame:
    """Exact expected advantage of every outcome class under GRPO and both scopes of colouring."""
    from spo_theory.exact.update import rule_advantage_function
    from spo_theory.outcomes.chain import ReasoningChain

    chain = ReasoningChain(step_success=step_success)
    p = chain.class_probs
    frames = []
    for g in group_sizes:
        rules = {("grpo", "none"): rule("grpo", group_size=g)}
        for scope in ("all_negative", "all_incorrect"):
            rules["spo", scope] = rule("spo", group_size=g, beta=BETA, gamma=GAMMA, scope=scope)
        for (name, scope), r in rules.items():
            table = {
                "rule": name,
                "scope": scope,
                "group_size": g,
                "horizon": chain.horizon,
                "outcome_class": np.arange(chain.horizon + 1),
                "probability": p,
                "advantage": np.asarray(rule_advantage_function(r, chain.rts)(p)),
            }
            frames.append(pd.DataFrame(table))
    return pd.concat(frames, ignore_index=True)


def silent_groups(horizon: int, group_size: int, step_success: tuple[float, ...]) -> pd.DataFrame:
    """Every possible group, sorted into kinds, with its probability and the largest advantage in it.

    One row per rule, step accuracy and kind: probability, and the smallest and largest value over the groups
    of that kind of max |advantage|. By enumeration of all group compositions; nothing is sampled.
    """
    groups = np.array(list(combinations_with_replacement(range(horizon + 1), group_size)))
    counts = np.stack([(groups == k).sum(1) for k in range(horizon + 1)], axis=1)
    ways = factorial(group_size) / np.array([prod(map(factorial, c)) for c in counts.tolist()])
    right = groups == horizon
    same = groups[:, 0] == groups[:, -1]
    kind = np.select(
        [right.all(1), right.any(1), same], ["all correct", "mixed", "all-negative, one first error"], "all-negative"
    )
    rows = []
    for name in ("grpo", "spo"):
        r = build(name, group_size)
        largest = np.abs(r.advantages(right, groups, np.full(groups.shape, float(horizon)))).max(1)
        for q in step_success:
            classes = np.array([q**k * (1 - q) for k in range(horizon)] + [q**horizon])
            chance = ways * np.prod(classes**counts, axis=1)
            for k in dict.fromkeys(kind):
                of = kind == k
                rows.append(
                    {
                        "rule": name,
                        "horizon": horizon,
                        "group_size": group_size,
                        "step_success": q,
                        "kind": k,
                        "probability": chance[of].sum(),
                        "smallest": largest[of].min(),
                        "largest": largest[of].max(),
                    }
                )
    return pd.DataFrame(rows)


def escape(
    name: str, group_size: int, horizon: int, step_success: float, most: int, questions: int, seeds: int
) -> pd.DataFrame:
    """Updates until success reaches 1/2 from equal step accuracies, step size 1: exact, and by sampled groups.

    ``most``: give up after that many exact updates (NaN). ``seeds``: sampled runs of ``questions`` groups an
    update, each three times as long as predicted so that slow ones can arrive (NaN if they do not); 0 for none.
    ``all_negative`` in the result is the share of all-negative groups at the start.
    """
    from spo_theory import ReasoningChain, simulate
    from spo_theory.dynamics.maps import updates_to

    start, r = ReasoningChain(step_success=np.full(horizon, step_success)), build(name, group_size)
    exact = _exact_updates(start, r, most)
    rows = [{"source": "theory", "seed": -1, "updates": exact}]
    if seeds:
        paths = simulate(start, r, steps=int(3 * exact) + 20, questions=questions, seeds=seeds)
        for seed, one in paths.groupby("seed"):
            rows.append({"source": "monte_carlo", "seed": seed, "updates": updates_to(one)})
    silent = float(start.all_negative(group_size))
    return pd.DataFrame(rows).assign(rule=name, group_size=group_size, horizon=horizon, all_negative=silent)


def _exact_updates(chain: "ReasoningChain", r: Rule, most: int) -> float:
    from spo_theory.dynamics.maps import solve, updates_to
    from spo_theory.outcomes.chain import ReasoningChain

    done, block, updates = 0, 64, float("nan")
    while done < most and np.isnan(updates):  # in growing blocks: the length is not known beforehand
        path = solve(chain, r, steps=block)
        updates = done + updates_to(path)
        chain = ReasoningChain(step_success=path.filter(regex=r"^q_\d+$").iloc[-1].to_numpy())
        done, block = done + block, block * 4
    return updates


def tabular_curves(
    name: str, group_size: int, horizon: int, step_success: float, questions: int, seeds: int, steps: int
) -> pd.DataFrame:
    """Success over updates of the tabular chain, exact and by sampled groups, as rows of the table of curves."""
    from spo_theory import ReasoningChain, simulate, solve

    chain, r = ReasoningChain(step_success=np.full(horizon, step_success)), build(name, group_size)
    exact = solve(chain, r, steps=steps).assign(source="theory")
    sampled = simulate(chain, r, steps=steps, questions=questions, seeds=seeds).assign(source="monte_carlo")
    both = pd.concat([exact, sampled], ignore_index=True)
    return both.assign(
        experiment=f"tabular-H{horizon}",
        rule=name,
        horizon=horizon,
        group_size=group_size,
        model="tabular",
        optimizer="sgd",
    )


def two_step_rule(name: str) -> Rule:
    """The paper's rules of its Section 3.2: groups of 2, rewards 0, 1/2 and 1."""
    return rule("spo", group_size=2, shape="raw") if name == "spo" else rule("grpo", group_size=2)


def two_step_curves(starts: tuple[tuple[float, float], ...], steps: int) -> pd.DataFrame:
    """p and p q over iterations of the paper's two-step model (its Fig. 2) from several starting points."""
    from spo_theory.dynamics.maps import solve
    from spo_theory.outcomes.chain import ReasoningChain

    frames = []
    for start in starts:
        for name in ("grpo", "spo"):
            path = solve(ReasoningChain(step_success=start), two_step_rule(name), steps=steps)
            fixed = {"rule": name, "start_p": start[0], "start_q": start[1]}
            frames.append(path.rename(columns={"q_1": "p", "q_2": "q"}).assign(**fixed))
    return pd.concat(frames, ignore_index=True)


def two_step_map(points: int) -> pd.DataFrame:
    """Success after one coloured step minus success after one GRPO step, on a grid of starting points."""
    from spo_theory.exact.update import expected_update
    from spo_theory.outcomes.chain import ReasoningChain

    axis = (np.arange(points) + 0.5) / points
    p, q = (a.ravel() for a in np.meshgrid(axis, axis))
    chain = ReasoningChain(step_success=np.stack([p, q], axis=1))
    after = {}
    for name in ("grpo", "spo"):
        g = np.asarray(expected_update(chain, two_step_rule(name)))
        after[name] = (1 / (1 + np.exp(-(chain.logits + g)))).prod(1)
    return pd.DataFrame({"p": p, "q": q, "gain": after["spo"] - after["grpo"]})


def two_step_boundary(points: int) -> pd.DataFrame:
    """The curve ``1 - p = q (1 - q)`` on which both first steps gain the same to first order."""
    q = np.linspace(0, 1, points)
    return pd.DataFrame({"p": 1 - q * (1 - q), "q": q})


# --- the experiments ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Experiment:
    """A named experiment: what it asks, and its jobs, given whether the quick version is wanted."""

    name: str
    question: str
    jobs: Callable[[bool], list[Job]]


def _colouring(quick: bool) -> list[Job]:
    return [Job("colouring", "colouring", f"{HERE}:colouring_curves", code=THEORY)]


def _all_negative(quick: bool) -> list[Job]:
    arguments = {"horizons": (2, 4, 6, 8, 12), "group_sizes": (2, 4, 8, 16, 64)}
    silent = {"horizon": 4, "group_size": 8, "step_success": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)}
    return [
        Job("all_negative", "all_negative", f"{HERE}:all_negative_probability", arguments, code=THEORY),
        Job("all_negative/silent", "silent_groups", f"{HERE}:silent_groups", silent, code=THEORY),
    ]


def _expected_advantage(quick: bool) -> list[Job]:
    arguments = {"step_success": (0.4, 0.5, 0.6), "group_sizes": (2, 4, 8, 16 if quick else 64)}
    return [Job("expected_advantage", "expected_advantage", f"{HERE}:expected_advantage_table", arguments, code=THEORY)]


def _escape(quick: bool) -> list[Job]:
    horizons, sizes, seeds = ((2, 4, 6), (8,), 5) if quick else ((2, 3, 4, 5, 6, 8, 10, 12), (8, 64), 20)
    jobs = []
    for name in ("grpo", "spo"):
        for g in sizes:
            for h in horizons:
                call = {"name": name, "group_size": g, "horizon": h, "step_success": 0.3, "most": 400_000}
                sampled = name == "spo" or h <= 8  # beyond, GRPO would need minutes of sampling
                call |= {"questions": 64, "seeds": seeds if sampled else 0}
                jobs.append(Job(f"escape/{name}-G{g}-H{h}", "escape", f"{HERE}:escape", call, code=THEORY))
        curve = {"name": name, "group_size": 8, "horizon": 4, "step_success": 0.3, "questions": 64}
        curve |= {"seeds": seeds, "steps": 80}
        jobs.append(Job(f"escape/{name}-curves", "curves", f"{HERE}:tabular_curves", curve, code=THEORY))
    return jobs


def _two_step(quick: bool) -> list[Job]:
    curves = {"starts": ((0.5, 0.5), (0.9, 0.5)), "steps": 50}
    limit = {"starts": ((0.5, 0.5),), "steps": 5000}
    grid = {"points": 100}
    return [
        Job("two_step/curves", "two_step", f"{HERE}:two_step_curves", curves, code=THEORY),
        Job("two_step/limit", "two_step_limit", f"{HERE}:two_step_curves", limit, code=THEORY),
        Job("two_step/map", "two_step_map", f"{HERE}:two_step_map", grid, code=THEORY),
        Job("two_step/boundary", "two_step_boundary", f"{HERE}:two_step_boundary", {"points": 201}),
    ]


def _network(quick: bool) -> list[Job]:
    from paper_repro import bridge

    code = (*THEORY, "toy_llm")
    jobs = []
    for spec in bridge.SPECS_QUICK if quick else bridge.SPECS_FULL:
        for seed in spec.seeds:
            call = {"spec": spec, "seed": seed}
            jobs.append(Job(f"network/{spec.name}/start-{seed}", "curves", "paper_repro.bridge:start", call, code=code))
        for seed in spec.seeds:
            after = (f"network/{spec.name}/start-{seed}",)  # leaves the warm start on disk
            for name in spec.rules:
                call = {"spec": spec, "rule": name, "seed": seed}
                job = f"network/{spec.name}/{name}-{seed}"
                jobs.append(Job(job, "curves", "paper_repro.bridge:run_seed", call, after=after, code=code))
    return jobs


def _statements(quick: bool) -> list[Job]:
    from paper_repro.statements import PICTURES

    home = "paper_repro.statements"
    light = {"collapse": {"seeds": 40}, "starts": {"points": 20}} if quick else {"starts": {"points": 100}}
    jobs = [
        Job(f"statements/{p.name}", p.name, f"{home}:{p.compute.__name__}", light.get(p.name, {}), code=THEORY)
        for p in PICTURES
    ]
    checks = Job("statements/verdicts", "verdicts", f"{home}:verdicts", code=THEORY)
    return jobs if quick else [checks, *jobs]  # a minute of checks, which the tests make too


def _literature(quick: bool) -> list[Job]:
    from paper_repro.literature import LITERATURE

    light = {"remedies": {"horizons": (2, 3, 4)}} if quick else {}
    return [
        Job(f"literature/{r.name}", r.name, f"paper_repro.literature:{r.name}", light.get(r.name, {}), code=THEORY)
        for r in LITERATURE
    ]


def _suites(quick: bool) -> list[Job]:
    from paper_repro import suite_runs

    return suite_runs.jobs(quick)


EXPERIMENTS = (
    Experiment("network", "Does the exact theory predict a transformer that is really trained?", _network),
    Experiment("suites", "Does it carry over to suites, sizes, starts, imperfect judges, stored rollouts?", _suites),
    Experiment("colouring", "What reward does an incorrect response get?", _colouring),
    Experiment("all_negative", "How often does a group have no correct response?", _all_negative),
    Experiment("expected_advantage", "Which responses does each rule reinforce?", _expected_advantage),
    Experiment("escape", "How long until success, as questions get longer?", _escape),
    Experiment("two_step", "The paper's own two-step model, and where its conclusion reverses", _two_step),
    Experiment("statements", "Which statements about the rules hold, and where do they fail?", _statements),
    Experiment("literature", "Do the published results of others come out as special cases?", _literature),
)


def choose(only: list[str]) -> list[Experiment]:
    """The experiments named in ``only`` (all if empty). Raises `InputError` for an unknown name."""
    names = [e.name for e in EXPERIMENTS]
    for name in only:
        check(name in names, "only", name, f"one of {', '.join(names)}")
    return [e for e in EXPERIMENTS if not only or e.name in only]
