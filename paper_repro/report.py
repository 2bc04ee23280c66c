"""The report: one HTML page that needs nothing else, every number in it taken from the tables."""

import base64
import struct
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined

from paper_repro.suite_claims import ends_of, usual_size

Tables = Mapping[str, pd.DataFrame]

TITLES = {
    "training": "Theory over a network that was really trained",
    "groups": "All-negative groups and gradient size over training",
    "suites": "Ten suites of problems, three sizes, two starts",
    "response_lengths": "What makes responses shorter",
    "pass_at_k": "pass@k before and after training",
    "imperfect_judges": "Imperfect judges",
    "premises": "Where a premise of the theory is broken on purpose",
    "escape": "Updates to half success as questions get longer",
    "two_step": "The paper's two-step model",
    "expected_advantage": "Which responses each rule reinforces",
    "all_negative": "How often a group has no correct response",
    "colouring": "The colouring curve",
}


def render(tables: Tables, pictures: Mapping[str, Path], manifest: Mapping[str, Any]) -> str:
    """The page as a string. ``pictures``: PNG of every figure by name; ``tables``: see `paper_repro.run`."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("paper_repro").joinpath("report.html.j2").read_text(encoding="utf-8"))
    figures = [
        {
            "name": name,
            "title": TITLES[name],
            "image": base64.b64encode(pictures[name].read_bytes()).decode("ascii"),
            "caption": caption(name, tables),
        }
        for name in TITLES
        if name in pictures
    ]
    from paper_repro.literature import LITERATURE, finding
    from paper_repro.statements import PICTURES

    def small(name: str, text: str) -> dict[str, Any]:
        data = pictures[name].read_bytes()
        width, height = struct.unpack(">II", data[16:24])  # where every PNG has them
        image = base64.b64encode(data).decode("ascii")
        return {"name": name, "image": image, "caption": text, "wide": width > 1.8 * height}

    where = {statement: p.name for p in PICTURES for statement in p.statements if p.name in pictures}
    verdicts = tables.get("verdicts", pd.DataFrame())
    return template.render(
        figures=figures,
        statements=[]
        if verdicts is None
        else [r | {"figure": where.get(r["name"])} for r in verdicts.to_dict("records")],
        pictures=[small(p.name, "") | {"title": p.title} for p in PICTURES if p.name in pictures],
        literature=[small(r.name, finding(r, tables[r.name])) for r in LITERATURE if r.name in pictures],
        headlines=headlines(tables),
        misses=misses(tables),
        comparison=_comparison_rows(tables),
        claims=tables["claims"].to_dict("records"),
        verdicts=tables["claims"]["verdict"].value_counts().to_dict(),
        manifest=manifest,
        slowest=sorted(
            ((v["seconds"], k) for k, v in manifest["jobs"].items() if v["seconds"] is not None), reverse=True
        )[:8],
    )


def headlines(tables: Tables) -> list[str]:
    """The main numbers in sentences; only what the tables hold."""
    lines = []
    table = tables.get("comparison")
    if table is not None:
        runs = table[table["ratio"].notna()]
        for optimizer, rows in runs.groupby("optimizer", sort=False):
            off = (rows["ratio"] - 1).abs()
            clean = off[rows["collapsed"] == 0]
            lines.append(
                f"Network against theory, {_optimizer(str(optimizer))}: predicted and measured updates to half success "
                f"differ by {off.median():.0%} at the median over {len(rows)} combinations of setting and rule "
                f"({off.min():.0%} to {off.max():.0%})"
                + (
                    f"; {clean.median():.0%} over the {len(clean)} without a collapsed run."
                    if 0 < len(clean) < len(off)
                    else "."
                )
                + f" Constants fitted: {int(rows['fitted'].sum())}."
            )
    escape = tables.get("escape")
    if escape is not None:
        exact = escape[(escape["source"] == "theory") & (escape["group_size"] == escape["group_size"].min())]
        wide = exact.pivot_table(index="horizon", columns="rule", values="updates").dropna()
        if {"grpo", "spo"} <= set(wide) and len(wide):
            first, last = wide.iloc[0], wide.iloc[-1]
            lines.append(
                f"Tabular chain, groups of {int(exact['group_size'].iloc[0])}, exact: from H = {wide.index[0]} to "
                f"H = {wide.index[-1]} steps the updates to half success grow from {first['grpo']:.1f} to "
                f"{last['grpo']:,.0f} under GRPO, and from {first['spo']:.1f} to {last['spo']:.0f} under SPO."
            )
        both = _sampled_against_exact(escape)
        if both is not None:
            lines.append(both)
    suites = tables.get("suites")
    if suites is not None:
        size, ends = usual_size(suites), ends_of(suites)
        base = ends[(ends["size"] == size) & (ends["start"] == "base")]
        before = base[base["rule"] == "none"]["value"].mean()
        after = [
            f"with {_optimizer(str(optimizer))} "
            + ", ".join(f"{_rule(str(rule))} {one['value'].mean():.3f}" for rule, one in rows.groupby("rule"))
            for optimizer, rows in base[base["rule"] != "none"].groupby("optimizer")
        ]
        lines.append(
            f"Ten suites, {size} base network: mean success of the eight trained suites is {before:.3f} before "
            f"training; after it, {'; '.join(after)}."
        )
    grid = tables.get("two_step_map")
    if grid is not None:
        lines.append(
            f"Two-step model: one coloured iteration gains more than one of GRPO on {(grid['gain'] > 0).mean():.0%} of "
            f"the starting points and less on {(grid['gain'] < 0).mean():.0%}; the paper's start is among the former."
            if _gain_at(grid, 0.5, 0.5) > 0
            else "Two-step model: at the paper's own starting point one coloured iteration gains less than one of GRPO."
        )
    return lines


def _gain_at(grid: pd.DataFrame, p: float, q: float) -> float:
    return float(grid["gain"].iloc[int(np.argmin((grid["p"] - p) ** 2 + (grid["q"] - q) ** 2))])


def _sampled_against_exact(escape: pd.DataFrame) -> str | None:
    keys = ["rule", "group_size", "horizon"]
    exact = escape[escape["source"] == "theory"].set_index(keys)["updates"]
    sampled = escape[escape["source"] == "monte_carlo"].groupby(keys)["updates"].median()
    off = (sampled / exact.reindex(sampled.index) - 1).abs().dropna()
    if off.empty:
        return None
    return (
        f"The same chain with sampled groups: the median over seeds differs from the exact count by {off.median():.1%} "
        f"at the median and {off.max():.1%} at most, over {len(off)} settings."
    )


def misses(tables: Tables) -> list[str]:
    """Where the theory misses, in sentences: every row of the comparison that is off, and why it may be."""
    table = tables.get("comparison")
    if table is None:
        return []
    lines = []
    for row in table.to_dict("records"):
        name = f"{row['experiment']}, {row['rule'].upper()}"
        faults = []
        if pd.isna(row["ratio"]):
            never = [k for k in ("predicted", "measured") if pd.isna(row[f"{k}_half"])]
            faults.append(f"half success is never reached ({' and '.join(never)})")
        elif abs(row["ratio"] - 1) > 0.1:
            way = "later" if row["ratio"] > 1 else "sooner"
            faults.append(
                f"half success is predicted {abs(row['ratio'] - 1):.0%} {way} than it comes "
                f"({row['predicted_half']:.1f} against {row['measured_half']:.1f} updates)"
            )
        if row["collapsed"] > 0:
            faults.append(
                f"{row['collapsed']} of {row['seeds']} runs collapse after success, which a theory of the mean "
                "update does not show"
            )
        elif pd.notna(row["r2"]) and row["r2"] < 0.95:
            faults.append(f"the curve as a whole is off (R² = {row['r2']:.2f}, RMSE = {row['rmse']:.3f})")
        if faults:
            lines.append(f"{name}: {'; '.join(faults)}.")
    return lines


def _rule(name: str) -> str:
    return name.upper().replace("_PREFIX", " with prefix credit")


def _optimizer(name: str) -> str:
    return {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}.get(name, name)


def _comparison_rows(tables: Tables) -> list[dict[str, str]]:
    table = tables.get("comparison")
    if table is None:
        return []

    def number(value: float, digits: int) -> str:
        return "never" if pd.isna(value) else f"{value:.{digits}f}"

    rows = []
    for r in table.to_dict("records"):
        low, high = r["measured_low"], r["measured_high"]
        rows.append(
            {
                "experiment": r["experiment"],
                "rule": r["rule"].upper(),
                "predicted": number(r["predicted_half"], 1),
                "measured": number(r["measured_half"], 1),
                "interval": "" if pd.isna(low) or pd.isna(high) else f"{low:.1f} to {high:.1f}",
                "ratio": "" if pd.isna(r["ratio"]) else f"{r['ratio']:.2f}",
                "rmse": f"{r['rmse']:.3f}",
                "r2": "" if pd.isna(r["r2"]) else f"{r['r2']:.3f}",
                "fitted": str(int(r["fitted"])),
                "seeds": str(int(r["seeds"])),
                "collapsed": str(int(r["collapsed"])),
            }
        )
    return rows


def _as_assumed(curves: pd.DataFrame) -> pd.Series:
    """Which rows belong to experiments that keep the premises of the theory."""
    return curves["note"].fillna("") == "" if "note" in curves else pd.Series(True, curves.index)


def caption(name: str, tables: Tables) -> str:
    """What was measured and what was predicted in figure ``name``."""
    if name in ("training", "groups"):
        curves = tables["curves"]
        network = curves[(curves["source"] == "network") & _as_assumed(curves)]
        seeds, updates = network["seed"].nunique(), int(network["step"].max())
        start = network[network["step"] == network["step"].min()]["success"]
        if name == "training":
            return (
                "Measured: the transformer's probability of a whole correct response on the questions of every update, "
                f"{seeds} seeds per rule, {updates} updates, {start.min():.3f} to {start.max():.3f} at the start. "
                "Predicted: the exact chain from each seed's own warm start, its log-odds on true prefixes and how its "
                "parameters move them, all taken before training; nothing is fitted to the curves. The network's "
                "logits are scaled up, which keeps its features and its kernel nearly in place. Dashed: the mean of "
                "the seeds' forecasts. Lower panels: measured minus predicted, each seed against its own forecast."
            )
        return (
            "Measured: the share of sampled groups without a correct response and the norm of the sampled gradient at "
            "every update, in the runs of the previous figure. Predicted: the same from the theory before training. "
            "Where the upper curve is at 1, GRPO has no gradient at all and SPO has."
        )
    texts = {
        "suites": (
            "Measured, no theory: networks of three sizes, warm-started on all eight suites to train on, then trained "
            "on their mixture, the same number of updates for every rule, with AdamW unless SGD is said. A base start "
            "has learnt from imperfect traces, a distilled one from what the large base network wrote. (a) Success on "
            "every suite. (b) What the rules gain over GRPO with the same seed. (c) Training on one stored set of the "
            "base start's rollouts instead of fresh ones, on all-negative groups alone or on the others alone."
        ),
        "response_lengths": (
            "Measured, base start of the figure before. RTS is the share of a response before its first error. Divided "
            "by the length of the response as written, as the paper has it, it rises when a response ends early, right "
            "or wrong. One change tells whether that is what makes responses shorter: the same rule with the true "
            "response's length below the line. Success is the mean probability of the true response."
        ),
        "pass_at_k": (
            "Measured: the probability that at least one of k sampled responses is correct, same runs as the figure "
            "before. Where a rule lifts pass@1 and not pass@32, it makes likelier what the start could already do."
        ),
        "imperfect_judges": (
            "Measured. First two: training with judges that miss wrong steps and call right ones wrong at the given "
            "rates, and with the majority of five such judgments; from a start where most groups are all-negative, and "
            "from one where nearly all are. Third: what the noise costs under several colourings. Last: a judge that "
            "is itself a small network, trained on labelled traces: it solves nothing, its twin that was trained to "
            "solve on the same traces next to nothing, and its student most."
        ),
        "premises": (
            "The same comparison for networks that break a premise. The theory keeps the kernel measured at the start: "
            "a network whose logits are not scaled up moves its features as it learns, and its kernel with them. "
            "And the theory follows the mean update: it cannot show what single batches do when steps are too large."
        ),
        "escape": (
            "Predicted: exact expected updates of a chain of H steps of accuracy 0.3, in which every step is its own "
            "parameter. Measured: the same chain trained on sampled groups, the rule applied to every sample."
        ),
        "two_step": (
            "Both predicted, nothing sampled: the model of the paper's Section 3.2. (a) its Fig. 2. (b) The lead of "
            "SPO depends on the start; it is negative at first where the first step is nearly learned. (c) The sign "
            "of the first iteration's lead over all starts."
        ),
        "expected_advantage": (
            "Predicted, exactly: the mean advantage a response receives, given how far it came. GRPO treats all "
            "incorrect responses alike; colouring rewards those that came further, the less the larger the group, "
            "since large groups are seldom all-negative."
        ),
        "all_negative": "Predicted, exactly: (1 - qᴴ)ᴳ for steps of accuracy q.",
        "colouring": (
            "The reward an incorrect response gets for its RTS, the share of it before the first error. The paper "
            "gives the values 10 and 0.5 without saying which is beta and which is gamma: both readings are drawn bold."
        ),
    }
    return texts[name]
