"""The studies are found by their folder; each has its jobs, and its figures draw from tables."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from itertools import combinations

import pandas as pd
import pytest
from column_width import check_single_width
from hand_tables import comparison, curves, escape, related, runs, two_step, two_step_map, weak_judge

from figures import remedies as remedy_figures
from figures.describe import describe
from paper_repro.settings import BETA, GAMMA, build
from paper_repro.studies import all_negative, forecast_grid, network, remedies, study
from paper_repro.studies.all_negative import silent_groups
from paper_repro.studies.colouring import colouring_curves
from paper_repro.studies.study import choose, plates, studies, study_names
from spo_theory.methods.registry import rule
from spo_theory.validation import InputError
from toy_llm.problems.suites import TRAINED

NAMES = [
    "network", "forecast_grid", "suites", "suite_forecast", "escape", "remedies", "league", "two_step",
    "expected_advantage", "all_negative", "colouring", "gradients", "statements", "related", "literature",
]  # fmt: skip
MAIN = [
    "training", "groups", "premises", "half_times", "forecast_errors", "suites", "response_lengths", "pass_at_k",
    "imperfect_judges", "suite_forecast", "escape", "remedy_costs", "remedy_prices", "recovery", "league", "two_step",
    "expected_advantage", "all_negative", "colouring", "gradients", "related",
]  # fmt: skip


def main_plates():
    """The figures of all studies but the two galleries, whose tables are made in tests of their own."""
    return [plate for one in studies() if one.name not in ("statements", "literature") for plate in one.plates]


def test_the_studies_are_those_of_the_folder_in_their_order():
    assert [one.name for one in studies()] == NAMES
    assert study_names() == sorted(NAMES)
    assert [one.name for one in choose([])] == NAMES
    assert [one.name for one in choose(["two_step", "escape"])] == ["escape", "two_step"]
    with pytest.raises(InputError, match=r"^only = 'nothing' .*one of network, forecast_grid, suites"):
        choose(["nothing"])


def test_the_names_are_listed_without_importing_a_study():
    code = (
        "import sys\nfrom paper_repro.studies.study import study_names\nassert 'two_step' in study_names()\n"
        "assert not {'jax', 'torch', 'paper_repro.studies.two_step'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_study_says_what_it_asks():
    for one in studies():
        assert one.question.endswith("?")
        assert one.plates or one.claims


def test_the_figures_come_in_the_order_of_the_report():
    assert [plate.name for plate in main_plates()] == MAIN
    names = [plate.name for plate in plates()]
    assert len(set(names)) == len(names)


def test_the_code_of_every_figure_is_what_draws_it_and_what_computes_it():
    code = {plate.name: one.code(plate) for one in studies() for plate in one.plates}
    assert code["escape"] == ["figures.escape", "paper_repro.studies.escape"]
    assert code["pass_at_k"] == ["figures.suites.pass_at_k", "paper_repro.studies.suites.study"]
    assert code["silence"] == ["figures.lines_and_maps", "paper_repro.studies.statements.groups"]
    assert code["kl_rounds"][1] == "paper_repro.studies.literature.mroueh"


def test_every_figure_of_a_claim_exists():
    known = {plate.name for plate in plates()} | {""}
    assert {claim.figure for one in studies() for claim in one.claims} <= known


@pytest.mark.parametrize("quick", [True, False])
def test_jobs_have_names_of_their_own_and_functions_that_workers_can_import(quick):
    jobs = [job for one in studies() for job in one.jobs(quick)]
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names)
    assert {after for job in jobs for after in job.after} <= set(names)
    for job in jobs:
        module, name = job.call.split(":")
        assert getattr(import_module(module), name) is job.function
        inspect.signature(job.function).bind(**job.arguments)


@pytest.mark.parametrize("one", studies(), ids=lambda one: one.name)
def test_a_study_makes_the_tables_that_its_figures_need(one):
    made = {job.table for job in one.jobs(False)}
    if one is remedies.STUDY:
        made |= set(one.derive({"remedy_map": REMEDIES}))
    if one is network.STUDY:
        made = set(one.derive({"curves": pd.concat([curves(), curves(experiment="H6-sgd", note="broken")])}))
    if one is forecast_grid.STUDY:
        made = set(one.derive({"comparison": comparison()}))
    assert {name for plate in one.plates for name in plate.needs} <= made


def test_no_two_studies_write_one_table_but_the_curves_of_network_and_theory():
    tables = {one.name: {job.table for job in one.jobs(False)} for one in studies()}
    shared = {
        (first, second): tables[first] & tables[second]
        for first, second in combinations(tables, 2)
        if tables[first] & tables[second]
    }
    assert shared == {("network", "escape"): {"curves"}}


REMEDIES = pd.DataFrame(
    [
        {"contender": name, "horizon": h, "step_success": 0.3, "updates": h * n, "rollouts": 8.0 * h * n}
        for h in (4, 8)
        for n, name in enumerate(remedy_figures.SHOWN, start=1)
    ]
).assign(group_size=8, miss=0.0, tokens_generated=64.0, steps_judged=5.0, solutions=2.0)
RECOVERY = pd.DataFrame(
    [
        {"rule": name, "horizon": h, "recovery": rho, "updates": h / rho}
        for name in ("grpo", "spo")
        for h in (4, 6)
        for rho in (0.01, 0.1)
    ]
)
NOISY = {"miss": 0.4, "false_alarm": 0.2}
PREFIX = {"spo_prefix": 0.4}
TABLES = {
    "trained": curves(6.0),
    "premises": curves(6.0, note="steps too large"),
    "cells": comparison(),
    "escape": escape({2: (10, 5), 4: (40, 8)}),
    "remedy_map": REMEDIES,
    "remedy_prices": remedies.break_even(REMEDIES),
    "recovery": RECOVERY,
    "league_curves": curves(6.0),
    "league": pd.DataFrame({"rule": ["grpo"], "updates": [30.0]}),
    "two_step": two_step(),
    "two_step_map": two_step_map(),
    "two_step_boundary": pd.DataFrame({"p": [0.75, 0.8], "q": [0.5, 0.7]}),
    "colouring": colouring_curves(),
    "all_negative": all_negative.all_negative_probability((2, 6), (4, 8)),
    "expected_advantage": pd.DataFrame(
        [
            {"rule": r, "scope": s, "group_size": g, "horizon": 2, "outcome_class": k, "advantage": g + k}
            for g in (2, 4)
            for r, s in (("grpo", "none"), ("spo", "all_negative"))
            for k in range(3)
        ]
    ),
    "suites": pd.concat(
        [
            runs({"none": 0.1, "grpo": 0.4, "spo": 0.5}, suites=TRAINED),
            pd.DataFrame({"step": [0, 1] * 3, "seed": [0, 0, 1, 1, 2, 2], "response_length": 5.0}).assign(
                success_exact=0.5, **{"rule": "spo", "size": "medium", "start": "base", "optimizer": "adamw"}
            ),
        ]
    ),
    "suite_lengths": pd.DataFrame({"step": [0, 1], "seed": 0, "response_length": 6.0, "success_exact": 0.5}).assign(
        **{label: runs({"spo": 0.5})[label].iloc[0] for label in ("rule", "size", "start", "optimizer", "miss")},
        **{label: runs({"spo": 0.5})[label].iloc[0] for label in ("false_alarm", "votes", "mode", "train_on")},
        rts_length="true",
    ),
    "suite_judges": pd.concat([runs({"spo": 0.4}, TRAINED), runs({"spo": 0.3}, TRAINED, **NOISY)]),
    "suite_colours": pd.concat(
        [runs(PREFIX, TRAINED, beta=b, gamma=0.5, **more) for b in (2.0, 10.0) for more in ({}, NOISY)]
    ),
    "weak_judge": weak_judge(),
    **related(),
    "gradient_check": pd.DataFrame(
        [
            {"setting": s, "rule": r, "batches": 60, "ratio": 1.001, "ratio_error": 0.01, "z_rms": 1.0}
            | {"z_largest": 4.0, "z_limit": 5.5, "parameters": 1000}
            for s in ("chain", "suites")
            for r in ("grpo", "spo")
        ]
    ),
    "suite_curves": curves(6.0).assign(success_add=0.5, success_carry=lambda table: table["success"]),
}


@pytest.mark.parametrize("plate", main_plates(), ids=lambda plate: plate.name)
def test_every_figure_of_the_report_draws_from_its_tables(plate):
    figure = plate.figure(TABLES)
    assert figure.axes[0].get_ylabel() or figure.axes[0].get_xlabel()
    assert re.search(r" against .* \(.* to .*\).*\.$", describe(figure))
    caption = plate.text(TABLES)
    assert caption.endswith(".")
    assert "  " not in caption
    assert plate.title
    for name in plate.needs:
        assert plate.figure({key: table for key, table in TABLES.items() if key != name}) is None


@pytest.mark.parametrize("plate", main_plates(), ids=lambda plate: plate.name)
def test_every_figure_of_the_report_fits_into_a_column(plate):
    check_single_width(lambda: plate.figure(TABLES))


def test_an_optional_table_may_be_missing():
    (plate,) = (plate for plate in plates() if plate.name == "suites")
    stored = runs({"spo": 0.3}, TRAINED, mode="offline", train_on="all_negative")
    for tables, panels in ((TABLES, 2), (TABLES | {"suite_offline": stored}, 3)):
        assert len(plate.figure(tables).axes) == panels
        assert ("(c)" in plate.text(tables)) is (panels == 3)


def test_the_caption_of_the_network_has_the_numbers_of_its_table():
    table = TABLES["trained"]
    start = table[(table["source"] == "network") & (table["step"] == 0)]["success"]
    caption = network.training_caption(TABLES)
    assert (
        f"3 warm starts and 3 runs per rule, at most 40 updates, {start.min():.3f} to {start.max():.3f} at the start"
        in caption
    )


def test_a_broken_premise_has_a_table_of_its_own():
    good, broken = curves(6.0, note=""), curves(6.0, experiment="H6-sgd", note="steps too large")
    found = network.derive({"curves": pd.concat([good, broken])})
    assert set(found["trained"]["experiment"]) == {"H4-sgd"}
    assert set(found["premises"]["experiment"]) == {"H6-sgd"}
    assert set(found["comparison"]["experiment"]) == {"H4-sgd", "H6-sgd"}
    assert set(network.derive({"curves": good})) == {"trained", "comparison"}
    assert network.derive({"curves": good[good["source"] == "theory"]}) == {}
    assert network.derive({}) == {}


def test_a_new_study_is_found_by_its_file_alone(tmp_path, monkeypatch):
    """Its figure, its claim and its name appear wherever studies are listed."""
    from paper_repro import studies as folder

    (tmp_path / "extra.py").write_text(
        "from paper_repro.claims.verdicts import Finding\n"
        "from paper_repro.studies.study import Claim, Study\n"
        "def judge(tables):\n    return Finding('here', 'exact', 'holds')\n"
        "STUDY = Study('extra', 'More?', lambda quick: [], 5, "
        "claims=(Claim('It is so.', 'nowhere', 'none', judge, '', 18),))\n"
    )
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    studies.cache_clear()
    try:
        from paper_repro.claims.table import judge_claims

        assert study.studies()[0].name == "extra"
        assert "extra" in study_names()
        assert judge_claims({}).iloc[-1]["claim"] == "18. It is so."
    finally:
        studies.cache_clear()


def test_every_rule_that_colours_gets_the_experiments_colouring():
    for name in rule.names():
        options = {option.name for option in rule.options(name)}
        if {"beta", "gamma"} <= options:
            built = build(name, 8).reward
            assert (built.beta, built.gamma) == (BETA, GAMMA)
        else:
            assert build(name, 4).group_size == 4
    assert build("spo_prefix", 8).reward.beta == BETA


def test_silent_groups_probabilities_sum_to_one_and_match_the_formula():
    table = silent_groups(3, 4, (0.2, 0.7))
    for (_, accuracy), one in table.groupby(["rule", "step_success"]):
        assert one["probability"].sum() == pytest.approx(1)
        negative = one[one["kind"].str.startswith("all-negative")]["probability"].sum()
        assert negative == pytest.approx((1 - accuracy**3) ** 4)


def test_verdicts_on_the_real_groups():
    tables = {"silent_groups": silent_groups(3, 4, (0.1, 0.5))}
    assert all_negative.grpo_is_silent(tables).verdict == "holds"
    assert all_negative.colouring_speaks(tables).verdict == "holds in 1, fails in 1 of 2 parts"
    assert all_negative.limits(tables).verdict == "holds"
