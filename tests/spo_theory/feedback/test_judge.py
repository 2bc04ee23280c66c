"""A language model as judge, against a local server that also misbehaves."""

import json
import multiprocessing
import os
import signal
import time

import pytest
from endpoint import Server

from spo_theory import InputError
from spo_theory.feedback.cache import Answer, AnswerCache
from spo_theory.feedback.judge import Endpoint, LanguageModelJudge
from spo_theory.feedback.verdict import Judgement, Task

pytest.importorskip("openai", reason="the extra judge is not installed")
KEY = "sk-very-secret-0123456789"


def tasks(number):
    return [Task(f"problem {i}", ("one", "two", "three")) for i in range(number)]


def judge_of(server, *, cache=None, votes=1, max_calls=None, max_tokens=None, **endpoint):
    endpoint = {"retries": 2, "timeout": 0.6, **endpoint}
    return LanguageModelJudge(Endpoint("m", server.url, **endpoint), cache, votes, max_calls, max_tokens)


def test_verdicts_in_order_at_most_so_many_at_a_time():
    with Server(pause=0.02) as server:
        judge = judge_of(server, concurrency=3, timeout=20.0)
        assert judge.judge(tasks(9)) == [Judgement(0)] * 9
        assert (judge.usage.calls, judge.usage.tokens, server.most) == (9, 900, 3)
        problems = [json.loads(body["messages"][1]["content"])["problem"] for body in server.asked]
        assert sorted(problems) == [task.problem for task in tasks(9)]


@pytest.mark.parametrize("fault", ["status 429", "status 500", "status 503", "drop", "slow", "cut body"])
def test_a_passing_fault_is_tried_again(fault):
    with Server([fault]) as server:
        judge = judge_of(server)
        assert judge.judge(tasks(1)) == [Judgement(0)]
        assert (judge.usage.calls, len(server.asked)) == (1, 2)


@pytest.mark.parametrize("fault", ["status 429", "status 500", "drop", "no json at all", "deep"])
def test_a_lasting_fault_is_no_judgement_and_is_asked_again_later(fault, tmp_path):
    tries = 1 if fault in ("no json at all", "deep") else 3
    with Server([fault] * tries) as server:
        judge = judge_of(server, cache=tmp_path / "answers.db")
        (judgement,) = judge.judge(tasks(1))
        assert judgement.first_error is None
        assert judgement.problem.startswith("no answer (")
        assert judge.usage.without == {judgement.problem: 1}
        assert judge.judge(tasks(1)) == [Judgement(0)]


@pytest.mark.parametrize(
    "answer", ["step 2 is wrong", "", "empty", {"first_wrong_step": 7}, '{"first_wrong_step": 2} 1.0']
)
def test_an_answer_that_cannot_be_read_is_counted_and_not_paid_for_twice(answer, tmp_path):
    with Server([answer]) as server:
        judge = judge_of(server, cache=tmp_path / "answers.db")
        first = judge.judge(tasks(1))
        assert first[0].first_error is None
        assert sum(judge.usage.without.values()) == 1
        assert judge.judge(tasks(1)) == first
        assert len(server.asked) == 1


@pytest.mark.parametrize(("status", "named"), [(401, "JUDGE_KEY"), (403, "JUDGE_KEY"), (404, "model = 'm'")])
def test_an_endpoint_that_refuses_everybody_stops_in_one_line(status, named, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    with Server(usual=f"status {status}") as server:
        judge = judge_of(server, key_variable="JUDGE_KEY", concurrency=2)
        with pytest.raises(InputError, match=named) as refused:
            judge.judge(tasks(20))
        assert KEY not in str(refused.value)
        assert "\n" not in str(refused.value)
        assert len(server.asked) <= 2


def test_the_key_comes_from_the_environment_and_stays_out_of_everything_written(monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    with Server(["status 500"]) as server:
        judge = judge_of(server, cache=tmp_path / "answers.db", key_variable="JUDGE_KEY")
        judge.judge(tasks(2))
        assert set(server.keys) == {f"Bearer {KEY}"}
        judge.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir()) + "".join(capfd.readouterr()).encode()
    assert KEY.encode() not in written
    assert KEY not in repr(vars(judge))


def test_equal_questions_are_asked_once_and_other_settings_again(tmp_path):
    with Server() as server:
        path = tmp_path / "answers.db"
        assert judge_of(server, cache=path).judge(tasks(1) * 5) == [Judgement(0)] * 5
        assert len(server.asked) == 1
        judge_of(server, cache=path, temperature=0.5).judge(tasks(1))
        judge_of(server, cache=path).judge([Task("problem 0", ("one", "two", "three"), reference="right")])
        assert len(server.asked) == 3


def test_votes_are_separate_calls_and_the_majority_counts(tmp_path):
    with Server([2, 3, 2]) as server:
        judge = judge_of(server, votes=3, temperature=1.0, concurrency=1, cache=tmp_path / "answers.db")
        assert judge.judge(tasks(1)) == [Judgement(1)]
        assert sorted(body["seed"] for body in server.asked) == [0, 1, 2]


@pytest.mark.parametrize("limit", [{"max_calls": 4}, {"max_tokens": 400}])
def test_the_budget_ends_the_calls_not_the_run(limit):
    with Server() as server:
        judge = judge_of(server, concurrency=1, **limit)
        judged = judge.judge(tasks(6))
        assert judged == [Judgement(0)] * 4 + [Judgement(None, "budget spent")] * 2
        assert len(server.asked) == 4


def _judge_until_killed(url, path):
    LanguageModelJudge(Endpoint("m", url, concurrency=1), path).judge(tasks(50))


def test_a_run_that_is_killed_loses_no_answer(tmp_path):
    path = tmp_path / "answers.db"
    with Server(pause=0.01) as server:
        process = multiprocessing.get_context("spawn").Process(target=_judge_until_killed, args=(server.url, path))
        process.start()
        while len(server.asked) < 8:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        before = len(server.asked)
        judge = judge_of(server, cache=path, timeout=20.0)
        assert judge.judge(tasks(50)) == [Judgement(0)] * 50
        # The call in flight at the kill is the only one that may be made twice
        assert judge.usage.cached >= before - 1
        assert judge.usage.calls + judge.usage.cached == 50


def test_cache(tmp_path):
    with AnswerCache(tmp_path / "a.db") as cache, AnswerCache(tmp_path / "a.db") as other:
        cache.put("k", Answer("text", 3))
        cache.put("k", Answer("another", 4))
        assert other.get("k") == Answer("text", 3)
        other.put("none", Answer(None, 0))
        assert cache.get("none") == Answer(None, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", ""),
        ("base_url", "localhost:8000"),
        ("temperature", float("nan")),
        ("timeout", 0),
        ("retries", -1),
        ("concurrency", 0),
        ("answer_tokens", 1.5),
    ],
)
def test_bad_endpoints_are_named(name, value):
    with pytest.raises(InputError, match=f"^{name} = "):
        Endpoint(**{"model": "m", name: value})


@pytest.mark.parametrize("bad", [{"votes": 0}, {"votes": 3}, {"max_calls": -1}, {"max_tokens": 0.5}])
def test_bad_judges_are_named(bad):
    with pytest.raises(InputError, match="is not allowed"):
        LanguageModelJudge(Endpoint("m"), **bad)


def test_a_response_without_steps_is_refused_before_any_call():
    with Server() as server, pytest.raises(InputError, match=r"steps = \['p'\]"):
        judge_of(server).judge([Task("p", ())])
