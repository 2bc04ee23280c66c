"""The jobs of the ten suites measure what they say."""

import dataclasses

from paper_repro.studies.suites.runs import LABELS, QUICK, Run, WeakJudge, jobs, suite_run, weak_judge
from toy_llm.problems.suites import SUITES


def test_the_labels_of_a_run_are_its_fields():
    fields = {field.name for field in dataclasses.fields(Run)}
    assert fields - set(LABELS) == {"updates", "start_updates", "questions", "samples"}


def test_a_run_has_its_curve_and_its_measurement_on_every_suite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = suite_run(Run("spo", 1, "small", **QUICK | {"updates": 2, "start_updates": 2}))
    curve, found = table[table["step"].notna()], table[table["suite"].notna()]
    assert len(curve) + len(found) == len(table)
    assert curve["step"].tolist() == [0, 1, 2]
    assert set(found["suite"]) == set(SUITES)
    assert set(found[found["metric"] == "pass@k"]["k"]) == {1, 2, 4, 8}
    assert (table["rule"] == "spo").all()
    start = suite_run(Run("none", 0, "small", **QUICK | {"start_updates": 2}))
    assert start["step"].isna().all()


def test_jobs_are_distinct_and_their_settings_are_allowed():
    for quick in (True, False):
        made = jobs(quick)
        names = [job.name for job in made]
        assert len(set(names)) == len(names)
        assert {after for job in made for after in job.after} <= set(names)
        for job in made:
            if "run" in job.arguments:
                assert job.arguments["run"].config().problems() == []


def test_the_weak_judge_experiment_says_who_solves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = weak_judge(WeakJudge(seeds=(0,), judge_updates=2, updates=1))
    assert table["who"].tolist() == ["judge", "judge's twin", "student at start", "student trained"]
    assert table["success"].between(0, 1).all()
