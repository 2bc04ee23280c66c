"""The page and its sentences take every number from the tables."""

import struct

import numpy as np
import pandas as pd
import pytest
from hand_tables import comparison, curves, escape, runs, two_step_map

from paper_repro.claims.table import judge_claims
from paper_repro.report.comparison import comparison_rows, misses
from paper_repro.report.render import headlines, render
from paper_repro.studies.study import plates
from toy_llm.problems.suites import TRAINED

MANIFEST = {
    "quick": False,
    "created": "now",
    "finished": "1 of 1 jobs",
    "config_hash": "abc",
    "commit": None,
    "python": "3",
    "platform": "here",
    "processors": 2,
    "packages": {"numpy": "2"},
    "jobs": {"a": {"seconds": 1.0}, "b": {"seconds": None}},
    "seconds_by_experiment": {"a": 1.0},
}


@pytest.fixture
def picture(tmp_path):
    """A file that has of a PNG what the page reads: its size."""

    def make(name, width=100, height=100):
        path = tmp_path / f"{name}.png"
        path.write_bytes(b"\x89PNG".ljust(16, b"\0") + struct.pack(">II", width, height))
        return path

    return make


def tables(**more):
    found = {"curves": curves(6.0), "comparison": comparison()} | more
    return found | {"claims": judge_claims(found)}


def test_figures_come_in_the_order_of_the_report_in_their_section(picture):
    statement = next(p for p in plates() if p.section == "statements" and p.statements)
    shown = ["colouring", "escape", "two_step", statement.name]
    verdicts = pd.DataFrame(
        [
            {"name": statement.statements[0], "statement": "S is so.", "status": "proved", "holds": True},
            {"name": "alone", "statement": "T is so.", "status": "refuted", "holds": False},
        ]
    ).assign(checked="a grid", counterexample="")
    page = render(tables(verdicts=verdicts), {name: picture(name) for name in shown}, MANIFEST)
    places = [page.index(f'id="{name}"') for name in ("escape", "two_step", "colouring", "comparison", "claims")]
    assert places == sorted(places)
    assert page.index('id="statements"') < page.index(f'<figure id="{statement.name}"')
    assert f'S is so. (<a href="#{statement.name}">figure</a>)' in page
    assert "T is so.</td>" in page
    assert 'id="literature"' not in page
    assert 'id="training"' not in page


def test_a_wide_figure_of_a_gallery_takes_a_row(picture):
    name = next(p.name for p in plates() if p.section == "statements")
    for width, said in ((100, False), (200, True)):
        page = render(tables(), {name: picture(name, width)}, MANIFEST)
        assert (f'id="{name}" class="across"' in page) is said


def test_every_claim_stands_in_the_page_with_its_verdict(picture):
    page = render(tables(), {}, MANIFEST)
    assert "4. The acceleration carries over" in page
    assert 'class="verdict holds">holds<' in page
    assert page.count('class="verdict ') == 17
    assert "Under SPO the network comes to half success sooner with 4 steps, groups of 8, SGD" in page
    assert "Longest jobs: a 1.0" in page


def test_a_partial_run_says_so_at_the_top():
    page = render(tables(), {}, MANIFEST)
    assert page.index("This is a partial run: 1 of 1 jobs are done") < page.index('id="summary"')
    whole = MANIFEST | {"jobs": {"a": {"seconds": 1.0}}}
    assert "partial run" not in render(tables(), {}, whole)


def test_the_summary_counts_kinds_of_verdicts():
    page = " ".join(render(tables(), {}, MANIFEST).split())
    assert "Of the paper's 17 claims: 2 hold, 1 hold in some settings" in page
    assert "13 not run, 1 not testable here." in page


def test_misses_are_said_plainly_and_only_where_there_are_any():
    assert misses({}) == []
    assert misses({"comparison": comparison()}) == []
    assert (
        "25% later than it comes (20.0 against 16.0"
        in misses({"comparison": comparison(ratio=1.25, measured_half=16.0)})[0]
    )
    assert "2 of 5 runs collapse" in misses({"comparison": comparison(collapsed=2)})[0]
    assert "never reached" in misses({"comparison": comparison(ratio=np.nan, measured_half=np.nan)})[0]
    assert "R² = 0.60" in misses({"comparison": comparison(r2=0.6)})[0]
    simpler = pd.concat([comparison(level="kernel", ratio=2.0), comparison()])
    assert misses({"comparison": simpler}) == []  # the most complete level alone counts


def test_the_rows_of_the_comparison_are_written_out():
    assert comparison_rows({}) == []
    (row,) = comparison_rows({"comparison": comparison()})
    assert (row["rule"], row["predicted"], row["interval"], row["ratio"]) == ("SPO", "20.0", "20.5 to 21.5", "1.05")
    never = comparison(measured_half=np.nan, measured_low=np.nan, measured_high=np.nan, ratio=np.nan)
    (row,) = comparison_rows({"comparison": never})
    assert (row["measured"], row["interval"], row["ratio"]) == ("never", "", "")


def test_headlines_take_their_numbers_from_the_tables():
    assert headlines({}) == []
    (line,) = headlines({"comparison": comparison()})
    assert "exact expected gradients 5.0% (5.0% to 5.0%)" in line
    assert line.endswith("Constants fitted: 0.")
    assert "50.0%" in headlines({"comparison": comparison(ratio=1.5)})[0]
    both = pd.concat([comparison(), comparison(ratio=1.5, collapsed=1, rule="grpo")])
    assert "5.0% where no run collapsed" in headlines({"comparison": both})[0]
    levels = pd.concat([comparison(level="kernel", ratio=1.2), comparison(), comparison(level="noisy", in_band=0.9)])
    text, band = headlines({"comparison": levels})
    assert "over 1 combinations of setting and rule by: frozen kernel 20.0%" in text
    assert "hold 90% of 5 measured" in band
    assert "0.80 times" in band


def test_the_headline_of_escape():
    growth, sampled = headlines({"escape": escape({2: (10, 5), 4: (400, 8)})})
    assert "grow from 10.0 to 400 under GRPO, and from 5.0 to 8 under SPO" in growth
    assert "at most, over 4 settings" in sampled
    assert len(headlines({"escape": escape({2: (10, 5)}, seeds=())})) == 1


def test_the_headline_of_the_two_step_model():
    (line,) = headlines({"two_step_map": two_step_map()})
    assert "gains more than one of GRPO on 67% of the starting points and less on 33%" in line
    (line,) = headlines({"two_step_map": two_step_map(gain=-0.1)})
    assert "gains less" in line


def test_the_headline_of_the_suites():
    (line,) = headlines({"suites": runs({"none": 0.1, "grpo": 0.4, "spo": 0.5}, suites=TRAINED)})
    assert "is 0.100 before training" in line
    assert "with AdamW GRPO 0.410, SPO 0.510" in line


def test_headlines_come_in_the_order_of_the_studies():
    found = {"comparison": comparison(), "escape": escape({2: (10, 5)}), "two_step_map": two_step_map()}
    lines = headlines(found | {"suites": runs({"none": 0.1, "grpo": 0.4}, suites=TRAINED)})
    assert [line.split()[0] for line in lines] == ["Network", "Tabular", "The", "Ten", "Two-step"]
