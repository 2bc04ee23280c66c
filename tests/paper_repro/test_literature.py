"""Published results: every table agrees with the source's numbers or closed form, has a figure and a sentence."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from paper_repro.studies.literature import bay_yearick, two_steps
from paper_repro.studies.literature.remedies import remedies
from paper_repro.studies.literature.study import PAPERS, RESULTS, jobs
from paper_repro.studies.literature.tables import largest_difference

QUICK = {  # smaller versions of the slow tables
    "youden_threshold": {"group_sizes": (8,)},
    "safe_rate": {"starts": (0.01,), "horizons": (1, 2, 4, 8, 32, 64)},
    "success_bound": {"horizons": (1, 2), "most": 6.0},
    "u_statistic_variance": {"chains": ((0.6, 0.45),), "group_sizes": (2, 8, 256)},
    "difficulty_weight": {"group_sizes": (8,)},
    "time_to_half": {"group_sizes": (4096,)},
    "sign_change": {"group_sizes": (2, 8)},
    "remedies": {"horizons": (4, 6)},
}
BY_NAME = {result.name: result for result in RESULTS}


@cache
def table(name):
    return BY_NAME[name].compute(**QUICK.get(name, {}))


@pytest.mark.parametrize("name", BY_NAME)
def test_every_result_has_a_table_a_figure_and_a_sentence(name):
    result = BY_NAME[name]
    found = table(name)
    assert re.search(r"arXiv \d{4}\.\d{5}", result.compute.__doc__)
    figure = result.figure(found)
    assert len(figure.axes) == 1
    ax = figure.axes[0]
    assert figure.get_suptitle() == result.title
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert ax.get_legend() is not None
    below = figure._supxlabel.get_text()
    assert re.search(r"\d{4}\.\d{5}", below)
    assert below.endswith(".")
    sentence = result.caption(found)
    assert sentence.endswith(".")
    assert result.plate().text({name: found}) == sentence


def test_the_results_are_those_of_the_papers_in_the_folder():
    folder = Path(bay_yearick.__file__).parent
    files = {file.stem for file in folder.glob("*.py")} - {"__init__", "study", "result", "tables"}
    assert files == {paper.__name__.rpartition(".")[2] for paper in PAPERS}
    assert list(BY_NAME) == [
        "kl_rounds", "kl_fixed_points", "youden_threshold", "noisy_tails", "noisy_judge", "safe_rate",
        "success_bound", "u_statistic_variance", "best_group_size", "mean_advantage", "difficulty_weight", "fidelity",
        "std_identity", "flow_clock", "time_to_half", "colour_values", "sign_change", "no_displacement",
        "uniform_penalty", "remedies",
    ]  # fmt: skip


def test_a_paper_calls_itself_what_it_is():
    for paper in PAPERS:
        first_line = paper.__doc__.splitlines()[0]
        assert re.search(r"arXiv \d{4}\.\d{5}", first_line), paper.__name__


def test_the_quick_version_asks_for_shorter_questions_only():
    changed = [job.name for job, quick in zip(jobs(False), jobs(True), strict=True) if job.key != quick.key]
    assert changed == ["literature/remedies"]


@pytest.mark.parametrize(
    ("name", "most"),  # most: round-off of the sums and products involved
    [
        ("kl_rounds", 1e-14),
        ("youden_threshold", 1e-13),
        ("u_statistic_variance", 1e-12),
        ("best_group_size", 1e-13),
        ("mean_advantage", 1e-14),
        ("difficulty_weight", 1e-13),
        ("std_identity", 1e-14),
        ("colour_values", 1e-13),
        ("sign_change", 1e-9),  # a zero located by sign, where the gain itself is of the order of round-off
        ("uniform_penalty", 1e-13),
        ("noisy_judge", 1e-13),
    ],
)
def test_closed_forms_agree_to_round_off(name, most):
    assert largest_difference(table(name)) < most


@pytest.mark.parametrize(
    ("reference", "limits"),
    [
        (0.05, (0.31272, 0.16730, 0.09444, 0.07193)),
        (0.2, (0.68128, 0.40873, 0.28066, 0.24009)),
        (0.5, (1.0, 0.76472, 0.60069, 0.55008)),
    ],
)
def test_kl_limits_lie_on_the_curve_of_fixed_points(reference, limits):
    found = table("kl_fixed_points")
    found = found[found["reference"] == reference]
    curve = found[(found["part"] == "fixed point") & found["stable"]]
    for beta, printed in zip((1.0, 2.0, 5.0, 10.0), limits, strict=True):
        (limit,) = found.loc[(found["part"] == "limit") & (found["beta"] == beta), "success"]
        assert limit == pytest.approx(printed, abs=5.01e-6)
        near = curve[(curve["success"] - limit).abs() < 0.02]  # the branch the iteration settles on
        order = near.sort_values("beta")
        assert np.interp(beta, order["beta"], order["success"]) == pytest.approx(limit, abs=1e-4)
    plain = found[found["part"] == "mean only"]
    assert (plain["success"] > reference).all()
    assert (curve["success"] > reference).all()


def test_kl_rounds_overshoot_and_settle():
    for _, one in table("kl_rounds").groupby("beta"):
        assert one["project"].max() > one["fixed_point"].iloc[0] * 1.2
        assert one["project"].iloc[-1] == pytest.approx(one["fixed_point"].iloc[0], rel=1e-4)


def test_a_verifier_teaches_if_its_youden_index_is_positive():
    found = table("youden_threshold").dropna()
    zero = found["youden"].abs() < 1e-12
    assert (np.sign(found.loc[~zero, "project"]) == np.sign(found.loc[~zero, "youden"])).all()
    assert zero.sum() == 1
    assert found.loc[zero, "project"].abs().max() < 1e-15


def test_noisy_tails_have_the_published_powers():
    for _, one in table("noisy_tails").groupby("tpr"):
        end = one[one["time"] > 1e4]
        slope = np.polyfit(np.log(end["time"]), np.log(end["project"]), 1)[0]
        assert slope == pytest.approx(one["power"].iloc[0], abs=0.01)


def test_the_safe_rate_is_sufficient_and_shrinks_but_the_largest_rate_does_not():
    found = table("safe_rate").set_index("horizon")
    assert (found["project"] > found["published"]).all()
    assert np.isinf(found.loc[[1, 2], "project"]).all()
    assert (found["published"].diff().dropna() < 0).all()
    assert found.loc[64, "project"] > found.loc[32, "project"]


def test_the_lower_bound_is_never_crossed():
    found = table("success_bound")
    assert (found["project"] >= found["published"] * (1 - 1e-12)).all()
    gain = np.log(found["project"] / (1 - found["project"])) - np.log(0.05 / 0.95)
    late = found["mass"] > 1
    np.testing.assert_allclose(gain[late] / (found["mass"][late] / 2), 2, rtol=0.02)


def test_the_noise_tends_to_that_of_the_true_baseline():
    end = table("u_statistic_variance").query("group_size == 256")
    np.testing.assert_allclose(end["project"], 1, atol=0.01)


def test_the_best_group_size_is_that_of_every_budget():
    found = table("best_group_size")
    sizes = {int(one.loc[one["project"].idxmin(), "group_size"]) for _, one in found.groupby("budget")}
    assert len(sizes) == 1
    assert sizes.pop() == pytest.approx(found["best"].iloc[0], abs=1)


def test_mean_advantage_approaches_its_limit_from_below():
    found = table("mean_advantage").pivot_table(index="p", columns="group_size", values="published")
    inside = found.iloc[1:-1]
    assert (inside[4.0] < inside[8.0]).all()
    assert (inside[64.0] < inside[np.inf]).all()
    p = inside.index.to_numpy(float)
    np.testing.assert_allclose(inside[np.inf], 2 * np.sqrt(p * (1 - p)), rtol=1e-15)


def test_printed_group_sizes_are_the_smallest_that_suffice():
    found = table("fidelity")
    required = found[found["part"] == "required"]
    assert len(required) == 12
    for row in required.itertuples():
        assert row.project >= row.published > bay_yearick.fidelity_of_every_group(row.group_size - 1, row.p)
    assert bay_yearick.fidelity_of_every_group(8, 0.05) == pytest.approx(0.5390, abs=5e-5)


def test_flow_keeps_the_published_time():
    for name, one in table("flow_clock").groupby("rule"):
        off = (one["project"] - one["published"]).abs().max()
        assert off < (
            4e-3 if name == "grpo" else 1e-8
        )  # a group of 4096 is not infinite: 1 / (8 G p) = 0.3 % at the start


@pytest.mark.parametrize(("start", "std", "mean_only"), [(0.001, 63.151, 1012.813)])
def test_time_to_half_matches_the_printed_numbers(start, std, mean_only):
    found = table("time_to_half").dropna()
    rows = found[np.isclose(found["start"], start)].set_index("rule")
    assert rows.loc["grpo", "published"] == pytest.approx(std, abs=5e-4)
    assert rows.loc["dr_grpo", "published"] == pytest.approx(mean_only, abs=5e-4)
    assert rows.loc["dr_grpo", "project"] == pytest.approx(mean_only, abs=5e-4)
    assert std < rows.loc["grpo", "project"] < 1.03 * std  # slower by 1 / (8 G p) where P is smallest


def test_two_step_updates_have_the_printed_values():
    found = table("colour_values")
    at = found[np.isclose(found["q_1"], 0.35)].pivot_table(index="colours", columns="step", values="project")
    np.testing.assert_allclose(at.loc["GRPO"], [0.10974, 0.13506], atol=5e-6)
    for name in two_steps.COLOURINGS:
        np.testing.assert_allclose(at.loc[name], [0.34071, 0.08887], atol=5e-6)


def test_a_uniform_penalty_is_of_order_p_and_colouring_of_order_one():
    for term, slope in (("penalty", 1.0), ("colouring", 0.0)):
        found = table("uniform_penalty")
        one = found[found["term"] == term].iloc[:8]
        got = np.diff(np.log(one["project"])) / np.diff(np.log(one["success"]))
        np.testing.assert_allclose(got, slope, atol=2e-3)


def test_noisy_judge_has_the_printed_values_and_its_zero():
    found = table("noisy_judge")
    at = found[np.isclose(found["fpr"], 0.35)].set_index("step")["project"]
    np.testing.assert_allclose(at, [0.17577, -0.03515], atol=5.01e-6)
    useless = found[np.isclose(found["fpr"], 0.8)]["project"]
    assert useless.abs().max() < 1e-15
    first = found[found["step"] == 1]
    assert (np.sign(first["project"].round(14)) == np.sign((0.8 - first["fpr"]).round(14))).all()


def test_no_group_of_grpo_lowers_success_and_coloured_ones_do():
    found = table("no_displacement")
    assert found.query("rule == 'grpo'")["change"].min() >= -1e-15
    falls = found.query("rule == 'spo' and change < -1e-6")
    assert set(falls["kind"]) == {"all-negative"}
    assert falls["probability"].sum() > 0.1
    np.testing.assert_allclose(found.groupby("rule")["probability"].sum(), 1, rtol=1e-13)


def test_uniform_penalties_grow_like_grpo_and_colouring_does_not():
    wide = table("remedies").pivot_table(index="rule", columns="horizon", values="updates")
    growth = np.sqrt(wide[6] / wide[4])
    assert growth[["sign", "ngrpo"]].min() > growth["grpo"] > 2
    assert growth["lens"] < 1.8
    assert growth[["spo", "spo_prefix"]].max() < 1.4


def test_remedies_give_up_and_say_so():
    found = remedies(horizons=(2, 4), most=10)
    wide = found.pivot_table(index="horizon", columns="rule", values="updates", dropna=False)
    assert np.isfinite(wide.loc[2]).all()
    assert np.isnan(wide.loc[4, "grpo"])
