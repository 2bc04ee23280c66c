"""The check finds every planted bug, and accuses no correct convention on any library and layout."""

import json
from pathlib import Path
from xml.etree import ElementTree

import jax.numpy as jnp
import mutants
import numpy as np
import pytest
import torch

from spo_theory import InputError
from spo_theory.conformance import check, identify
from spo_theory.conformance.advantages.catalogue import exactly, known, sources
from spo_theory.conformance.advantages.properties import PROPERTIES
from spo_theory.conformance.loading import library_of, load

DISTINCT = {formula: name for name, formula in reversed(known().items())}
"""One name for every formula; many trainers share one."""

COMPILED = ("trl", "nemo", "trl_batch", "verl_passk")
"""Those that are tried on jax too, which compiles for every shape."""


@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_planted_bugs_are_found_and_named(name):
    report = mutants.judged(name)
    assert mutants.MUTANTS[name][3] in [finding.property.name for finding in report.failed]
    assert all(finding.counterexample for finding in report.failed)


@pytest.mark.parametrize("name", mutants.CORRECT)
def test_the_functions_that_bugs_are_planted_in_are_correct(name):
    function, layout = mutants.CORRECT[name]
    assert check(function, "trl", layout=layout, sizes=(2, 3, 4, 16)).failed == []


def in_library(formula, library):
    """A convention as a function on the arrays of a library."""

    def grouped(rewards, valid=None):
        values = rewards.double().numpy() if library == "torch" else np.asarray(rewards, dtype=float)
        mask = None if valid is None else np.asarray(valid)
        found = exactly(formula, values, mask)
        if library == "torch":
            return torch.from_numpy(found).to(rewards.dtype)
        if library == "jax":
            return jnp.asarray(found, dtype=rewards.dtype)
        return found.tolist() if library == "list" else found.astype(rewards.dtype)

    return grouped


def with_ids(formula):
    """A convention as a function of rewards and of the group of each response, ragged and in any order."""

    def function(rewards, uids):
        _, group = np.unique(np.asarray(uids), return_inverse=True)
        place = np.array([np.sum(group[:row] == number) for row, number in enumerate(group)])
        square = np.zeros((group.max() + 1, place.max() + 1))
        valid = square.astype(bool)
        square[group, place] = rewards
        valid[group, place] = True
        return exactly(formula, square, valid)[group, place].astype(rewards.dtype)

    return function


@pytest.mark.parametrize("name", DISTINCT.values())
def test_no_correct_convention_is_accused(name):
    formula = known()[name]
    libraries = ("numpy", "torch", "jax", "list") if name in COMPILED else ("numpy", "torch", "list")
    for library in libraries:
        report = check(in_library(formula, library), name, library=library, sizes=(2, 3))
        assert report.failed == [], (library, report.failed)
    flat = in_library(formula, "numpy")
    report = check(lambda r, n: flat(r.reshape(-1, n)).ravel(), name, layout="flat", sizes=(2, 5))
    assert report.failed == []
    report = check(with_ids(formula), layout="uids", sizes=(2, 3, 4))
    assert report.failed == []
    assert name in report.identified.names


def test_rewards_on_tokens_as_verl_has_them():
    by_uid = with_ids(known()["verl"])

    def on_tokens(token_level_rewards, response_mask, index):
        advantages = by_uid(token_level_rewards.sum(-1), index)
        return advantages[:, None] * response_mask, None

    report = check(on_tokens, layout="tokens", sizes=(2, 3, 4))
    assert report.failed == []
    assert "verl" in report.identified.names
    wrong = check(lambda r, m, index: (r - r.mean()) * m, "dr_grpo", layout="tokens", sizes=(2, 3))
    [finding] = [one for one in wrong.failed if one.property.name == "groups_are_independent"]
    assert "[[1.0], [1.0]" in finding.counterexample


def test_lost_digits_are_told_from_another_formula():
    """The variance in one pass is the right formula, done badly; a wrong epsilon is another one."""
    lost = check(mutants.one_pass, "trl", sizes=(3, 8))
    assert {finding.severity for finding in lost.failed} == {"rounding"}
    assert "large_offset" in [finding.property.name for finding in lost.failed]
    wrong = mutants.judged("epsilon 1e-6 for 1e-4")
    severity = {finding.property.name: finding.severity for finding in wrong.failed}
    assert severity["values_on_tiny_differences"] == "formula"


def test_known_conventions_have_sources():
    assert set(sources()) == set(known())
    assert all(len(source) > 8 for source in sources().values())


def test_unknown_numbers_and_unknown_formulas_are_described():
    rewards = np.random.default_rng(0).normal(size=(4, 6))

    def own(r):
        return (r - r.mean(-1, keepdims=True)) / (r.std(-1, keepdims=True) + 3e-5)

    found = identify(own)
    assert found.names == ()
    assert found.described == "GroupAdvantage(ddof=0, eps=3e-05, scale='std')"
    np.testing.assert_allclose(found.reference(rewards, None), own(rewards), atol=1e-6)
    strange = identify(lambda r: r**2 - (r**2).mean(-1, keepdims=True))
    assert strange.reference is None
    assert strange.nearest == "trl_none"
    assert strange.differences["graded rewards"] > 0.1
    assert strange.differences["0/1 rewards"] == 0


def test_a_function_that_nobody_knows_is_not_passed():
    """Batch-wide standardization by mistake: the properties of all functions hold, but that is no approval."""
    report = check(lambda r: (r - r.mean()) / (r.std() + 0.01), sizes=(2, 3))
    assert not report.known
    assert not report.ok
    assert "no convention is known" in report.summary()
    assert "nearest" in str(report)


def test_counterexamples_are_small_and_run(tmp_path, monkeypatch, capsys):
    """The example of a report, pasted, shows the numbers that the report shows."""
    (tmp_path / "mine.py").write_text("def compute(r):\n    return (r - r.mean()) / (r.std() + 1e-4)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    report = check(load("mine:compute"), "trl", name="mine:compute")
    [finding] = [one for one in report.failed if one.property.name == "groups_are_independent"]
    exec(finding.counterexample, {})
    assert capsys.readouterr().out.split() == finding.got.replace(",", "").split() or finding.wanted
    assert len(finding.counterexample) < 150


def test_reports_in_three_forms():
    report = check(lambda r: r - r.mean(), "dr_grpo", name="mine:compute", sizes=(2, 3))
    assert not report.ok
    data = json.loads(report.to_json())
    assert [row["name"] for row in data["properties"]] == [one.name for one in PROPERTIES]
    suite = ElementTree.fromstring(report.to_junit())
    assert int(suite.get("failures")) == len(report.failed) > 0
    assert suite.find("testcase/failure").text
    text = str(report)
    assert all(finding.property.why in text for finding in report.failed)


def test_bad_settings_are_refused():
    def function(r):
        return r

    for settings in ({"layout": "square"}, {"library": "cupy"}, {"dtype": "int8"}, {"group_size": 1}, {"mask": "keep"}):
        with pytest.raises(InputError, match=next(iter(settings))):
            check(function, "trl", **settings)
    with pytest.raises(InputError, match="convention"):
        check(function, "ppo")
    with pytest.raises(InputError, match="ddof"):
        check(function, ddof=2)
    with pytest.raises(InputError, match="function"):
        load("math:no_such_function")
    with pytest.raises(InputError, match="importing"):
        load("no_such_module:f")


def test_library_is_what_the_module_imports():
    assert library_of(in_library) == "torch"
    assert library_of(load("spo_theory.conformance.advantages.batches:binary")) == "numpy"


def test_the_page_shows_the_table_of_planted_bugs():
    page = (Path(__file__).parents[3] / "docs" / "conformance.md").read_text(encoding="utf-8")
    for name, (_, convention, layout, found) in mutants.MUTANTS.items():
        [row] = [line for line in page.splitlines() if line.startswith(f"| {name} | {convention} | {layout} |")]
        assert f"`{found}`" in row
