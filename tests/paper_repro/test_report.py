"""The page and its sentences take every number from the tables."""

import re
import struct

import numpy as np
import pandas as pd
from hand_tables import MANIFEST, comparison, curves, escape, runs, two_step_map

from paper_repro.claims.table import judge_claims
from paper_repro.report.comparison import comparison_rows, misses
from paper_repro.report.pictures import Picture, picture_of
from paper_repro.report.render import headlines, render
from paper_repro.report.summary import summary
from paper_repro.report.typography import typeset
from paper_repro.studies.study import plates, studies
from toy_llm.problems.suites import TRAINED


def picture(width=150, note="Points: seeds.", alt="success against updates"):
    """A picture with a PNG that has what the page reads of it: its width."""
    return Picture(b"\x89PNG".ljust(16, b"\0") + struct.pack(">II", width, 100), note, alt)


def tables(**more):
    found = {"curves": curves(6.0), "comparison": comparison()} | more
    return found | {"claims": judge_claims(found)}


def statements():
    """The statements' study and one of its figures that shows a statement."""
    (study,) = (one for one in studies() if one.name == "statements")
    return study, next(plate for plate in study.plates if plate.statements)


def test_figures_come_below_the_question_that_they_answer():
    study, statement = statements()
    verdicts = pd.DataFrame(
        [
            {"name": statement.statements[0], "statement": "S is so.", "status": "proved", "holds": True},
            {"name": "alone", "statement": "T is so.", "status": "refuted", "holds": False},
        ]
    ).assign(checked=f"a grid; follows from {statement.statements[0]}", counterexample="")
    shown = ["colouring", "escape", "two_step", statement.name]
    page = render(tables(verdicts=verdicts), {name: picture() for name in shown}, MANIFEST)
    wanted = ["claims", "section-network", "comparison", "section-escape", "escape", "section-two_step", "two_step"]
    wanted += ["section-colouring", "colouring", "section-statements", "statements", statement.name, "made"]
    places = [page.index(f'id="{name}"') for name in wanted]
    assert places == sorted(places)
    assert f'<h2 id="section-statements">{study.question}</h2>' in page
    assert f'S is so. (<a href="#{statement.name}">figure</a>)' in page
    assert "T is so.</td>" in page
    assert "follows from statement 1" in page  # a name of the code says nothing to a reader
    assert 'id="section-literature"' not in page
    assert 'id="training"' not in page


def test_every_link_inside_the_page_leads_to_a_place_that_is_there_once():
    shown = {plate.name: picture() for plate in plates() if plate.name in ("training", "groups")}
    page = render(tables(trained=curves(6.0)), shown, MANIFEST)
    places = re.findall(r' id="([^"]+)"', page)
    assert len(set(places)) == len(places)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(places)


def test_a_figure_has_its_texts_its_data_and_its_code():
    shown = {"training": picture(width=300, alt="success of <two> rules")}
    page = render(tables(trained=curves(6.0)), shown, MANIFEST)
    assert 'alt="success of &lt;two&gt; rules" style="width:192px' in page  # 150 dots and 96 pixels an inch
    assert '<p class="how">Points: seeds.</p>' in page
    assert '<a href="data/trained.csv">trained.csv</a>' in page
    assert '<a href="code/figures.training.py">figures.training</a>' in page


def test_the_picture_of_a_figure_leaves_title_and_foot_to_the_page():
    from figures import training

    shown = picture_of(training.draw(curves(6.0)))
    assert shown.note.startswith("Groups of G = 8. Theory: predicted from the network")
    assert shown.png.startswith(b"\x89PNG")
    assert 300 < shown.width < 600
    assert "success probability against" in shown.alt
    assert "GRPO" in shown.alt


def test_every_column_of_a_table_can_be_sorted_with_a_key():
    page = render(tables(), {}, MANIFEST)
    heads = re.findall(r"<th [^>]*>.*?</th>", page)
    assert len(heads) == 5 + 14
    assert all('scope="col" aria-sort="none"' in head and '<button type="button">' in head for head in heads)
    assert re.findall(r'data-sort="(\d)" class="verdict holds">holds<', page)
    rows = re.findall(r"<tr><td.*?</tr>", page, re.DOTALL)
    assert all('data-label="' in cell for row in rows for cell in re.findall(r"<td[^>]*>", row))


def test_numbers_and_formulas_are_typeset():
    page = render(tables(), {}, MANIFEST)
    text = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL)
    assert not re.search(r"\d\.\d{7,}", text)
    assert typeset("up to Q_H (1 - q_h), 2e-16, sqrt(2)") == (
        "up to Q<sub>H</sub> (1 - q<sub>h</sub>), 2·10<sup>−16</sup>, √(2)"
    )
    assert typeset("scope all_negative <b>") == "scope all_negative &lt;b&gt;"


def test_the_first_screen_says_in_five_sentences_what_the_tables_hold():
    found = tables(escape=escape({2: (10, 5), 4: (400, 8)}), cells=comparison(ratio=1.25))
    chain, network, forecast, suites, claims = [line.text for line in summary(found)]
    assert "chain of 4 reasoning steps" in chain
    assert "GRPO needs 400 updates" in chain
    assert "it takes 8; with 2 steps it is 10 against 5." in chain
    assert network.startswith("On a small transformer, SPO came to half success sooner in 1 of 1 setting (")
    assert "off by 25.0% at the median and 25.0% at most" in forecast
    assert suites.startswith("Not run: ")
    assert claims.startswith("Of the paper's 17 claims, ")

    slower = tables(curves=curves(-6.0))
    assert "later in 1 (4 steps, groups of 8, SGD) of 1 setting" in summary(slower)[1].text
    nothing = {"claims": judge_claims({})}
    assert [line.text.startswith("Not run") for line in summary(nothing)] == [True] * 4 + [False]


def test_every_claim_stands_in_the_page_with_its_verdict():
    page = render(tables(), {}, MANIFEST)
    assert "4. The acceleration carries over" in page
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
    assert "Of the paper&#39;s 17 claims, 2 hold, 1 hold in some settings" in page
    assert "13 were not run and 1 cannot be tested here." in page


def test_misses_are_said_plainly_and_only_where_there_are_any():
    assert misses({}) == []
    assert misses({"comparison": comparison()}) == []
    assert (
        "25% later than it comes (20.0 against 16.0"
        in misses({"comparison": comparison(ratio=1.25, measured_half=16.0)})[0]
    )
    assert "2 of 5 runs collapse" in misses({"comparison": comparison(collapsed=2)})[0]
    assert "never reached" in misses({"comparison": comparison(ratio=np.nan, measured_half=np.nan)})[0]
    some = misses({"comparison": comparison(ratio=np.nan)})[0]
    assert "half success is not reached from every start" in some
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
    assert [line.split()[0] for line in lines] == ["Network", "Ten", "Tabular", "The", "Two-step"]
