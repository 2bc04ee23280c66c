"""Figures show exactly the numbers of their tables, in one look, and leave matplotlib as it was."""

import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from figures import (
    all_negative,
    colouring,
    curve,
    escape,
    expected_advantage,
    groups,
    lines_and_maps,
    style,
    training,
    two_step,
)
from spo_theory.methods.registry import rule as methods

STEPS = np.arange(6)


def curves(seeds=(0, 1, 2), horizons=(4,), optimizers=("sgd",), rules=("grpo", "spo")):
    rng, frames = np.random.default_rng(0), []
    for h in horizons:
        for optimizer in optimizers:
            for rule in rules:
                fixed = {
                    "experiment": f"H{h}-{optimizer}",
                    "rule": rule,
                    "horizon": h,
                    "group_size": 8,
                    "model": "tiny",
                    "optimizer": optimizer,
                }
                theory = {
                    "step": STEPS,
                    "success": STEPS / 10 + 0.1,
                    "all_negative": 0.9 - STEPS / 10,
                    "grad_norm": 1.0,
                }
                frames.append(pd.DataFrame(theory).assign(source="theory", seed=pd.NA, **fixed))
                for seed in seeds:
                    noisy = {
                        "step": STEPS,
                        "success": STEPS / 10 + rng.uniform(0, 0.2, 6),
                        "all_negative": rng.uniform(0, 1, 6),
                        "grad_norm": rng.uniform(0.5, 2, 6),
                    }
                    frames.append(pd.DataFrame(noisy).assign(source="network", seed=seed, **fixed))
    return pd.concat([f.astype({"seed": "Int64"}) for f in frames], ignore_index=True)


def by_gid(ax, gid):
    (line,) = [x for x in ax.lines if x.get_gid() == gid]
    return line


def test_training_shows_mean_band_and_theory_of_the_table():
    table = curves()
    figure = training.draw(table)
    top, bottom = figure.axes[:2]
    rows = table[(table["source"] == "network") & (table["rule"] == "spo")]
    wide = rows.pivot_table(index="step", columns="seed", values="success").to_numpy(float)
    np.testing.assert_allclose(by_gid(top, "mean spo").get_ydata(), wide.mean(1))
    np.testing.assert_allclose(by_gid(top, "theory spo").get_ydata(), STEPS / 10 + 0.1)
    np.testing.assert_allclose(by_gid(bottom, "mean spo").get_ydata(), wide.mean(1) - (STEPS / 10 + 0.1))
    half = student.ppf(0.975, 2) * wide.std(1, ddof=1) / np.sqrt(3)
    band = style.over_seeds(rows, "success")
    np.testing.assert_allclose(band["high"] - band["mean"], half)
    text = " ".join(figure._supxlabel.get_text().split())
    assert "3 seeds" in text
    assert "95 %" in text
    assert "G = 8" in text


@pytest.mark.parametrize(("seeds", "said"), [((0,), "One seed"), ((0, 1), "too few for an interval")])
def test_too_few_seeds_have_no_band_and_say_so(seeds, said):
    figure = training.draw(curves(seeds=seeds))
    assert not figure.axes[0].collections
    assert said in " ".join(figure._supxlabel.get_text().split())


@pytest.mark.parametrize("draw", [training.draw, groups.draw])
def test_one_pair_of_panels_per_horizon_and_optimizer_in_order(draw):
    figure = draw(curves(horizons=(6, 4), optimizers=("adam", "sgd"), seeds=(0, 1)))
    titles = [ax.get_title(loc="left") for ax in figure.axes[::2]]
    assert titles == ["(a) H = 4, SGD", "(b) H = 4, Adam", "(c) H = 6, SGD", "(d) H = 6, Adam"]


def test_groups_shows_shares_and_median_norm_of_the_table():
    table = curves()
    top, bottom = groups.draw(table).axes[:2]
    rows = table[(table["source"] == "network") & (table["rule"] == "grpo")]
    np.testing.assert_allclose(by_gid(top, "mean grpo").get_ydata(), rows.groupby("step")["all_negative"].mean())
    np.testing.assert_allclose(by_gid(bottom, "median grpo").get_ydata(), rows.groupby("step")["grad_norm"].median())
    assert bottom.get_yscale() == "log"


def test_a_rule_has_one_colour_everywhere():
    looks = list(style.RULES.values())
    for differs in ("label", "colour", "marker"):
        assert len({getattr(look, differs) for look in looks}) == len(looks)
    for name in methods.names():  # listed or not: a method looks as it was registered
        assert style.label(name) == methods.entry(name).label
        assert style.colour(name) == methods.entry(name).colour
    assert style.colour("a new rule") not in style.RULE_COLOUR.values()
    assert style.label("a new rule") == "a new rule"
    for draw in (training.draw, groups.draw):
        top = draw(curves()).axes[0]
        assert by_gid(top, "mean grpo").get_color() == style.RULE_COLOUR["grpo"]
        assert by_gid(top, "mean spo").get_color() == style.RULE_COLOUR["spo"]
        assert by_gid(top, "theory spo").get_color() == style.RULES["spo"].dark


def test_colouring_draws_each_pair():
    rts = np.linspace(0, 1, 5)
    table = pd.concat(
        [
            pd.DataFrame({"rts": rts, "reward": rts**b / 2, "beta": b, "gamma": 0.5, "reading": name})
            for b, name in ((1, "reading: literal"), (2, ""))
        ]
    )
    left, right = colouring.draw(table).axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), rts / 2)
    np.testing.assert_allclose(right.lines[1].get_ydata(), rts**2)
    assert "reading: literal" in left.lines[0].get_label()


def test_all_negative_families():
    q = np.array([0.1, 0.5, 0.9])
    table = pd.concat(
        [
            pd.DataFrame({"step_success": q, "horizon": h, "group_size": g, "all_negative": (1 - q**h) ** g})
            for h in (2, 6)
            for g in (4, 8)
        ]
    )
    left, right = all_negative.draw(table).axes
    assert [x.get_label() for x in left.lines] == ["H = 2", "H = 6"]
    assert [x.get_label() for x in right.lines] == ["G = 4", "G = 8"]
    np.testing.assert_allclose(left.lines[0].get_ydata(), (1 - q**2) ** 8)


def test_expected_advantage_panels_hold_the_table():
    rows = [
        {"rule": r, "scope": s, "group_size": g, "horizon": 2, "outcome_class": k, "advantage": g + k}
        for g in (2, 4)
        for r, s in (("grpo", "none"), ("spo", "all_negative"))
        for k in range(3)
    ]
    figure = expected_advantage.draw(pd.DataFrame(rows))
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a) G = 2", "(b) G = 4"]
    drawn = [x for x in figure.axes[1].lines if x.get_label() == "GRPO"]
    np.testing.assert_allclose(drawn[0].get_ydata(), [4, 5, 6])


def test_escape_points_are_medians_with_their_range_and_missing_runs_count_as_late():
    rows = [
        {"source": "theory", "rule": "spo", "group_size": 8, "horizon": h, "seed": -1, "updates": 5 * h} for h in (2, 4)
    ]
    for h, runs in ((2, [9, 10, 12]), (4, [20, np.nan, 26])):
        rows += [
            {"source": "monte_carlo", "rule": "spo", "group_size": 8, "horizon": h, "seed": i, "updates": u}
            for i, u in enumerate(runs)
        ]
    left, right = escape.draw(pd.DataFrame(rows)).axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), [10, 20])
    points = left.containers[0]
    np.testing.assert_allclose(np.asarray(points[0].get_ydata(), float), [10, 26])
    bars = [np.asarray(s, float)[:, 1] for s in points[2][0].get_segments()]
    np.testing.assert_allclose(bars, [[9, 12], [20, 26]])
    assert left.get_yscale() == "log"
    assert right.get_yscale() == "linear"


def test_lines_without_points_are_named():
    table = pd.DataFrame({"source": "theory", "rule": ["grpo", "grpo", "spo"], "horizon": [8, 10, 8], "updates": 5.0})
    assert escape._without_points(table) == ""  # nothing was sampled at all, so that no point is missing
    sampled = table[table["horizon"] == 8].assign(source="monte_carlo")
    assert escape._without_points(pd.concat([table, sampled])) == " Not sampled: GRPO at H = 10."


def test_curves_that_coincide_are_named():
    rows = [(g, s, k, k * (1 + (g > 2) * (s == "b"))) for g in (2, 4) for s in ("none", "a", "b") for k in (0, 1)]
    table = pd.DataFrame(rows, columns=["group_size", "scope", "outcome_class", "advantage"])
    assert expected_advantage._coinciding(table) == "At G = 2 both curves of SPO coincide."


def test_what_is_no_rule_has_no_colour_of_a_rule():
    names = ["GRPO", "asymptote", "G = 2", "G = 8", "G = 2, bound", "G = 8, bound", "scope a"]
    looks = lines_and_maps._looks(names, {"asymptote": "spo"}, apart=0.1)
    assert looks["GRPO"].colour == style.colour("grpo")
    assert looks["asymptote"].colour == style.colour("spo")
    others = [looks[name].colour for name in names[2:]]
    assert not set(others) & set(style.RULE_COLOUR.values())
    assert looks["G = 2"].colour != looks["G = 8"].colour == looks["G = 8, bound"].colour
    assert looks["scope a"].colour == style.OTHERS[0]
    assert [round(looks[name].shift, 2) for name in names] == [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]


def test_every_setting_has_its_own_scale_of_misses_and_no_interval_is_clipped():
    table = curves(horizons=(4, 6), rules=("spo",))
    off = (table["source"] == "network") & (table["horizon"] == 4)
    table.loc[off, "success"] = 0.0
    (top, near), (_, far) = (training.draw(table).axes[i : i + 2] for i in (0, 2))
    assert near.get_ylim()[1] > 1.2 * far.get_ylim()[1]
    assert not top.collections  # of seeds that jump from 0 to 1 an interval of the mean would cover everything


def two_step_tables():
    frames = []
    for p0, q0 in ((0.5, 0.5), (0.9, 0.5)):
        for i, rule in enumerate(("grpo", "spo")):
            frames.append(
                pd.DataFrame(
                    {
                        "rule": rule,
                        "start_p": p0,
                        "start_q": q0,
                        "step": STEPS,
                        "p": p0,
                        "success": STEPS * (i + 1) / 20,
                    }
                )
            )
    p, q = (a.ravel() for a in np.meshgrid([0.2, 0.5, 0.8], [0.3, 0.7]))
    grid = pd.DataFrame({"p": p, "q": q, "gain": 0.5 - p})
    return pd.concat(frames), grid, pd.DataFrame({"p": [0.75, 0.8], "q": [0.5, 0.7]})


def test_two_step_shows_the_difference_and_the_sign_of_the_gain():
    figure = two_step.draw(*two_step_tables())
    _, second, ax = figure.axes[:3]
    np.testing.assert_allclose(second.lines[1].get_ydata(), STEPS / 20)
    np.testing.assert_allclose(ax.collections[0].get_array().ravel(), [300, 0, -300, 300, 0, -300], atol=1e-9)
    assert ax.collections[0].get_clim() == pytest.approx((-300, 300))  # one scale on both sides of 0
    assert "33%" in figure._supxlabel.get_text()


def test_curve():
    table = pd.DataFrame({"step": STEPS, "success": STEPS / 10, "all_negative": 0.5, "q_1": 0.3, "q_2": 0.4})
    ax = curve.draw(table, "spo", "title").axes[0]
    np.testing.assert_allclose(ax.lines[2].get_ydata(), STEPS / 10)


def test_files_are_written_and_the_look_stays_inside(tmp_path):
    before = dict(matplotlib.rcParams)
    png, pdf = style.save(training.draw(curves()), tmp_path / "training")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert dict(matplotlib.rcParams) == before


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="grad_norm"):
        groups.draw(curves().drop(columns="grad_norm"))
    with pytest.raises(ValueError, match="network"):
        training.draw(curves().query("source == 'theory'"))


def test_simpler_levels_are_drawn_beside_the_most_complete_one():
    table = curves(rules=("spo",))
    theory = table[table["source"] == "theory"]
    levels = [theory.assign(level=name, success=0.1 * i) for i, name in enumerate(training.LADDER)]
    table = pd.concat([table[table["source"] == "network"].assign(level="sampled"), *levels], ignore_index=True)
    top = training.draw(table).axes[0]
    np.testing.assert_allclose(by_gid(top, "theory spo").get_ydata(), 0.3)
    np.testing.assert_allclose(by_gid(top, "mean_field spo").get_ydata(), 0.2)
    np.testing.assert_allclose(by_gid(top, "kernel spo").get_ydata(), 0.1)
    styles = {by_gid(top, f"{name} spo").get_linestyle() for name in ("theory", "mean_field", "kernel")}
    assert len(styles) == 3


def test_figures_load_neither_jax_nor_torch_nor_the_theory():
    code = (
        "import sys, figures.training, figures.groups, figures.escape, figures.two_step, figures.curve\n"
        "bad = {'jax', 'torch', 'spo_theory', 'toy_llm', 'paper_repro', 'matplotlib.pyplot'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_each_seed_is_compared_with_its_own_forecast():
    table = curves(seeds=(0, 1), rules=("spo",))
    theory = table[table["source"] == "theory"]
    network = table[table["source"] == "network"]

    # Two draws of each start's forecast, which is their mean
    own = [theory.assign(start=s, success=theory["success"] + s + draw) for s in (0, 1) for draw in (-0.2, 0.2)]
    table = pd.concat([network.assign(start=network["seed"]), *own], ignore_index=True)
    error = training.residuals(table, "spo")
    rows = table[(table["source"] == "network") & (table["seed"] == 1)]
    np.testing.assert_allclose(
        error[error["seed"] == 1]["success"], rows["success"].to_numpy() - (STEPS / 10 + 0.1 + 1)
    )
