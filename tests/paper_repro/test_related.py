"""The claims of the related papers: their table, and two verdicts against closed forms."""

import hand_tables
import pytest

from figures import related
from paper_repro.claims.verdicts import KINDS, kind
from paper_repro.studies.related import graded, outcomes, paths_and_data
from paper_repro.studies.related.claim import equal_steps, judged, rate
from paper_repro.studies.related.study import STUDY, TOPICS, caption
from spo_theory.methods.registry import rule

ALL = [claim for claims in TOPICS.values() for claim in claims]


def test_every_claim_names_registered_methods_and_has_its_own_judge():
    for claim in ALL:
        assert set(claim.methods.split(", ")) <= set(rule.names())
        assert claim.claim.endswith((".", ")"))
    assert len({claim.judge for claim in ALL}) == len(ALL)


def test_the_table_of_claims():
    """Claims that cost least, one row each with a verdict."""
    cheap = tuple(c for c in ALL if c.judge in (paths_and_data.first_step_of_pairs, graded.graded_reward_wakes_groups))
    table = judged(cheap)
    assert list(table.columns) == ["system", "methods", "claim", "analogue", "statistic", "verdict"]
    assert set(table["verdict"].map(kind)) <= set(KINDS)
    assert len(table) == 2


def test_a_claim_that_its_numbers_refute_does_not_hold(monkeypatch):
    """On pairs the first update is that of RLOO; of another rule it is not, and the verdict says so."""
    assert paths_and_data.first_step_of_pairs().verdict == "holds"
    monkeypatch.setattr(
        paths_and_data, "rule", lambda name, **options: rule("grpo" if name == "dpo" else name, **options)
    )
    assert paths_and_data.first_step_of_pairs().verdict == "does not hold"


def test_the_rate_is_the_gain_in_log_success():
    chain = equal_steps(0.4, 2)
    success = float(chain.success)
    assert rate(chain, rule("rloo", group_size=3)) == pytest.approx(success * 2 * 0.6**2, rel=1e-12)


def test_maxrl_tends_to_the_gradient_of_log_success():
    found = outcomes.maxrl_is_log_success()
    p = 0.3**3
    shares = [f"{1 - (1 - p) ** (g - 1):.3f}" for g in (8, 64, 512)]
    assert all(share in found.statistic for share in shares)
    assert found.verdict == "holds"


def test_the_figure_shows_all_three_tables():
    tables = hand_tables.related()
    figure = related.draw(*(tables[name] for name in STUDY.plates[0].needs))
    assert [len(ax.lines) for ax in figure.axes[:2]] == [6, 5]
    assert [bar.get_width() for bar in figure.axes[2].patches] == [90.0, 20.0]
    assert "not computed" in caption({})
    assert STUDY.plates[0].needs == ("right_paths", "offline_curves", "weights_and_grading")
