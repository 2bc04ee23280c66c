"""The figures of the suites show the means, intervals and leads of their tables."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from figures.suites import imperfect_judges, pass_at_k, response_lengths, suites

TRAINED = ("add", "carry")
LABELS = {
    "miss": 0.0,
    "false_alarm": 0.0,
    "votes": 1,
    "mode": "online",
    "train_on": "all",
    "rts_length": "written",
    "optimizer": "adamw",
    "accuracy": 0.6,
}


def runs(rules=("none", "grpo", "spo"), sizes=("medium",), starts=("base",), seeds=(0, 1, 2), **labels):
    """End-of-run rows: success and pass@k on two trained suites and a held-out one."""
    rng, rows = np.random.default_rng(0), []
    for size in sizes:
        for start in starts:
            for rule in rules:
                for seed in (0,) if rule == "none" else seeds:
                    fixed = {**LABELS, "size": size, "start": start, "rule": rule, "seed": seed, **labels}
                    for suite in (*TRAINED, "longer"):
                        for metric, k in (("success", np.nan), ("pass@k", 1), ("pass@k", 4)):
                            rows.append({**fixed, "suite": suite, "metric": metric, "k": k, "value": rng.random()})
    return pd.DataFrame(rows)


def centres(ax):
    """Places of the large marks, means of seeds."""
    return np.array([line.get_xydata()[0] for line in (c[0] for c in ax.containers)])


def test_suites_shows_means_per_suite_and_paired_leads():
    table = runs(sizes=("small", "medium"), starts=("base", "distilled"), rules=("none", "grpo", "spo", "spo_prefix"))
    offline = runs(rules=("spo",), mode="offline", train_on="all_negative")
    figure = suites.draw(table, TRAINED, offline)
    by_suite, lead, stored = figure.axes
    one = table[(table["size"] == "small") & (table["start"] == "base") & (table["metric"] == "success")]
    wanted = one[one["rule"] != "none"].groupby(["suite", "rule"])["value"].mean()
    assert sorted(centres(by_suite)[:, 0]) == pytest.approx(sorted(wanted))
    assert [t.get_text() for t in by_suite.get_yticklabels()] == ["add", "carry", "longer (held out)"]

    ends = table[(table["metric"] == "success") & table["suite"].isin(TRAINED)]
    ends = ends.groupby(["size", "start", "rule", "seed"])["value"].mean().unstack("rule")
    gaps = ends[["spo", "spo_prefix"]].sub(ends["grpo"], axis=0).groupby(["size", "start"]).mean()
    assert sorted(centres(lead)[:, 1]) == pytest.approx(sorted(gaps.to_numpy().ravel()))
    bars = [c[2][0].get_segments()[0][:, 1] for c in lead.containers]
    gap = (ends["spo"] - ends["grpo"])["small", "base"].dropna()
    half = student.ppf(0.975, 2) * gap.std(ddof=1) / np.sqrt(3)
    assert any(bar == pytest.approx([gap.mean() - half, gap.mean() + half]) for bar in bars)

    mean = offline[(offline["metric"] == "success") & offline["suite"].isin(TRAINED)]["value"].mean()
    assert centres(stored)[0] == pytest.approx([0, mean])


def test_pass_at_k_is_the_mean_of_the_trained_suites():
    table = runs(starts=("base", "distilled"))
    figure = pass_at_k.draw(table, TRAINED)
    for ax, start in zip(figure.axes, ("base", "distilled"), strict=True):
        one = table[(table["metric"] == "pass@k") & (table["start"] == start) & table["suite"].isin(TRAINED)]
        for rule in ("grpo", "spo"):
            (line,) = [x for x in ax.lines if x.get_gid() == f"mean {rule}"]
            wanted = one[one["rule"] == rule].groupby("k")["value"].mean()
            assert line.get_ydata() == pytest.approx(wanted.to_numpy())


def test_judges_shows_every_judge_pair_and_solver():
    judges = pd.concat(
        [
            runs(rules=("spo", "spo_prefix"), sizes=("small",), miss=m, false_alarm=a, votes=v)
            for m, a, v in ((0, 0, 1), (0.4, 0.2, 1), (0.4, 0.2, 5))
        ]
        + [runs(rules=("spo", "spo_prefix"), sizes=("small",), accuracy=0.4)]
    )
    colours = pd.concat(
        [
            runs(rules=("spo_prefix",), sizes=("small",), miss=m, false_alarm=m / 2, beta=b, gamma=0.5)
            for m in (0.0, 0.4)
            for b in (2.0, 10.0)
        ]
    )
    who = ["judge", "judge's twin", "student at start", "student trained"]
    weak = pd.DataFrame(
        {"who": who, "success": [0, 0.05, 0.1, 0.9], "low": [0, 0.04, 0.05, 0.8], "high": [0.01, 0.06, 0.2, 0.95]}
    ).assign(seeds=3, judge_accuracy=0.9)
    figure = imperfect_judges.draw(judges, weak, TRAINED, colours)
    assert [len(ax.containers) for ax in figure.axes] == [6, 2, 4, 4]
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == [
        "exact", "misses 40%,\nalarms 20%", "misses 40%,\nalarms 20%,\n5 votes",
    ]  # fmt: skip
    assert centres(figure.axes[3])[:, 1] == pytest.approx(weak["success"].to_numpy())
    without = imperfect_judges.draw(judges, weak, TRAINED)
    assert [len(ax.containers) for ax in without.axes] == [6, 2, 4]


def test_two_seeds_have_no_interval_and_say_so():
    figure = suites.draw(runs(seeds=(0, 1)), TRAINED)
    assert "too few" in figure._supxlabel.get_text()
    assert all(not c.has_xerr and not c.has_yerr for ax in figure.axes for c in ax.containers)


def test_lengths_shows_mean_curves_by_optimizer_and_the_other_length_apart():
    rng = np.random.default_rng(0)
    curve = {"step": [0, 1, 2] * 3, "seed": np.repeat([0, 1, 2], 3), "response_length": 1.0, "success_exact": 0.5}
    fixed = LABELS | {"size": "small", "start": "base"}
    table = pd.concat(
        [
            pd.DataFrame(curve | fixed | {"rule": r, "optimizer": o}).assign(response_length=rng.random(9))
            for r in ("grpo", "spo")
            for o in ("adamw", "sgd")
        ]
        + [runs(), pd.DataFrame(curve | fixed | {"rule": "spo", "size": "medium"})]
    )
    other = table[(table["rule"] == "spo") & table["step"].notna() & (table["size"] == "small")]
    other = other.assign(response_length=other["response_length"] + 3, rts_length="true")
    figure = response_lengths.draw(table, other)
    tops = figure.axes[::2]
    assert len(figure.axes) == 4
    for ax, optimizer in zip(tops, ("adamw", "sgd"), strict=True):
        means = {line.get_gid(): line.get_ydata() for line in ax.lines if line.get_gid()}
        one = table[(table["optimizer"] == optimizer) & (table["size"] == "small") & table["step"].notna()]
        for rule in ("grpo", "spo"):
            wanted = one[one["rule"] == rule].groupby("step")["response_length"].mean()
            assert means[f"mean {rule}"] == pytest.approx(wanted.to_numpy())
        assert means[f"mean {response_lengths.TRUE_LENGTH}"] == pytest.approx(means["mean spo"] + 3)
