"""The ten suites: right answers, repeatable questions, and a judge that any tokens leave standing."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spo_theory import InputError
from toy_llm.problems.suites import SUITES, TRAINED, mixture, suite
from toy_llm.problems.tokens import END, SEP, TOKENS, decode, encode, spell

ALL = [*SUITES.values(), mixture()]
NAMES = [*SUITES, "mixture"]


def written(prompts, answers):
    return [
        (decode(p).removesuffix("="), decode(a)[:-3]) for p, a in zip(prompts.tolist(), answers.tolist(), strict=True)
    ]


def test_ten_suites_two_of_them_held_out():
    assert len(SUITES) == 10
    assert {s.name for s in SUITES.values() if s.held_out} == {"longer", "unseen"}
    assert not mixture().held_out
    assert len({s.description for s in SUITES.values()}) == 10
    assert set(TRAINED) == set(SUITES) - {"longer", "unseen"}


def test_what_is_held_out_is_never_trained():
    prompts, _ = mixture().questions("train", 0, 0, 3000)
    texts = [decode(p) for p in prompts.tolist()]
    assert not any(t.startswith("mod11") for t in texts)
    assert SUITES["longer"].horizon > max(SUITES[n].horizon for n in TRAINED)
    _, answers = SUITES["longer"].questions("test", 0, 0, 500)
    assert SUITES["longer"].answer_steps(answers).amax(1).min() + 1 > max(SUITES[n].horizon for n in TRAINED)
    prompts, _ = SUITES["unseen"].questions("test", 0, 0, 100)
    assert all(decode(p).startswith("mod11,") for p in prompts.tolist())


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "mixed", "moduli", "longer", "unseen"])
def test_chains_against_a_calculation_from_the_text(name):
    for prompt, answer in written(*suite(name).questions("test", 1, 0, 300)):
        modulus, text = prompt.removeprefix("mod").split(",")
        parts = re.findall(r"\d|\D", text)
        value, steps = int(parts[0]), []
        for operator, number in zip(parts[1::2], parts[2::2], strict=True):
            value = eval(f"{value}{operator.replace('x', '*')}{number}") % int(modulus)
            steps.append(str(value))
        assert answer == ";".join(steps)


def test_carries_against_a_calculation_from_the_text():
    for prompt, answer in written(*suite("carry").questions("test", 1, 0, 300)):
        a, b = prompt.split("+")
        *columns, total = map(int, answer.split(";"))
        assert total == int(a) + int(b)
        for k in range(1, len(a) + 1):  # the carry comes from the digits behind
            assert columns[k - 1] == (int(a[-k:]) + int(b[-k:])) // 10 ** (k - 1)


def test_recurrences_against_a_calculation_from_the_text():
    for prompt, answer in written(*suite("recurrence").questions("test", 1, 0, 300)):
        m, a, b, x, n = map(int, re.match(r"mod(\d\d),rec(\d),(\d),(\d),(\d)$", prompt).groups())
        steps = []
        for _ in range(n):
            x = (a * x + b) % m
            steps.append(str(x))
        assert answer == ";".join(steps)


def test_nested_expressions_against_a_calculation_from_the_text():
    for prompt, answer in written(*suite("nested").questions("test", 1, 0, 300)):
        text, steps = prompt.removeprefix("mod10,"), []
        while "(" in text:
            inner = re.search(r"\(([^()]*)\)", text)
            steps.append(str(eval(inner[1]) % 10))
            text = text.replace(inner[0], steps[-1], 1)
        assert answer == ";".join(steps)


def test_later_steps_follow_from_what_was_written():
    question = suite("carry").ask("test", 0, 0, 1)[0]
    a, b = map(int, decode(question.prompt)[:-1].split("+"))
    first = a % 10 + b % 10
    assert question.follow([]) == first
    assert question.follow([first + 10]) == question.follow([first]) + 1  # a wrong carry is carried
    chain = suite("add").ask("test", 0, 0, 1)[0]
    value = chain.follow([])
    assert chain.follow([(value + 3) % 10]) == (chain.follow([value]) + 3) % 10


@pytest.mark.parametrize("task", ALL, ids=NAMES)
def test_questions_depend_on_stream_seed_and_index_alone(task):
    prompts, answers = task.questions("train", 3, 0, 40)
    assert prompts.shape == (40, task.prompt_length)
    assert answers.shape == (40, task.response_length)
    part = task.questions("train", 3, 25, 10)
    assert torch.equal(prompts[25:35], part[0])
    assert torch.equal(answers[25:35], part[1])
    for other in (task.questions("measure", 3, 0, 40)[0], task.questions("train", 4, 0, 40)[0]):
        assert not torch.equal(other, prompts)
        assert (other == prompts).all(1).sum() < 5
    assert [x.shape[0] for x in task.questions("train", 3, 5, 0)] == [0, 0]


@pytest.mark.parametrize("task", ALL, ids=NAMES)
def test_the_true_response_is_right_and_any_changed_token_is_wrong_at_its_step(task):
    _, answers = task.questions("test", 5, 0, 150)
    steps = task.answer_steps(answers)
    verdict = task.judge(answers[:, None], answers)
    assert verdict.correct.all()
    assert torch.equal(verdict.first_error, verdict.steps)
    assert torch.equal(verdict.steps[:, 0], steps.amax(1) + 1)
    assert steps.amax() + 1 == task.horizon
    assert torch.equal(verdict.mask[:, 0], steps >= 0)
    assert torch.equal(verdict.token_step[:, 0][steps >= 0], steps[steps >= 0])
    # every token of every answer, changed to every other token: (N, T * V, T)
    t, v = answers.shape[1], len(TOKENS)
    changed = answers[:, None, None].expand(-1, t, v, -1).clone()
    changed[:, torch.arange(t), :, torch.arange(t)] = torch.arange(v).expand(t, len(answers), v)
    verdict = task.judge(changed.flatten(1, 2), answers)
    same = (changed == answers[:, None, None]).all(-1).flatten(1) | (steps < 0)[..., None].expand(-1, -1, v).flatten(1)
    assert torch.equal(verdict.correct, same)
    assert torch.equal(verdict.first_error[~same], steps[..., None].expand(-1, -1, v).flatten(1)[~same])
    assert (verdict.first_error < verdict.steps)[~same].all()


def by_hand(response, answer):
    """First error, step lengths: the definition read aloud, one token after the other."""

    def cut(tokens):
        steps, step = [], []
        for token in tokens:
            step.append(token)
            if token in (SEP, END):
                steps.append(step)
                step = []
            if token == END:
                break
        return steps + [step] * bool(step)

    mine, true = cut(response), cut(answer)
    first = next((i for i, s in enumerate(mine) if i >= len(true) or s != true[i]), len(mine))
    return mine == true, first, [len(s) for s in mine]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_tokens_are_judged_as_by_hand(data):
    task = SUITES[data.draw(st.sampled_from(sorted(SUITES)))]
    _, answers = task.questions("test", data.draw(st.integers(0, 50)), 0, 2)
    token = st.one_of(st.integers(0, len(TOKENS) - 1), st.sampled_from([SEP, END]), st.integers(-(2**40), 2**40))
    rows = [
        [
            answer[: data.draw(st.integers(0, task.response_length))]  # a right beginning makes deep errors likely
            + data.draw(st.lists(token, min_size=task.response_length, max_size=task.response_length))
            for _ in range(3)
        ]
        for answer in answers.tolist()
    ]
    responses = torch.tensor([[r[: task.response_length] for r in row] for row in rows])
    verdict = task.judge(responses, answers)
    for q in range(2):
        for g in range(3):
            correct, first, lengths = by_hand(responses[q, g].tolist(), answers[q].tolist())
            assert verdict.correct[q, g] == correct
            assert verdict.first_error[q, g] == first
            assert verdict.steps[q, g] == len(lengths)
            assert verdict.step_lengths[q, g].tolist() == lengths + [0] * (
                verdict.step_lengths.shape[-1] - len(lengths)
            )
            assert verdict.mask[q, g].sum() == sum(lengths)
            assert (verdict.first_error[q, g] < len(lengths)) != correct


def test_a_mixture_holds_its_suites_in_equal_shares():
    prompts, _ = mixture(("carry", "recurrence", "nested")).questions("train", 0, 0, 3000)
    texts = [decode(p) for p in prompts.tolist()]
    for mark in ("mod05,rec", "mod07,rec", "mod10,("):
        share = sum(t.startswith(mark) for t in texts) / 3000
        wanted = 1 / 6 if "rec" in mark else 1 / 3
        assert abs(share - wanted) < 4 * (wanted * (1 - wanted) / 3000) ** 0.5


def test_text_and_tokens():
    assert decode(encode("rec 2,3 mod 10 =")) == "rec2,3mod10="
    assert decode(spell(-105)) == "-105"
    assert decode([99, -1, END, SEP]) == "??end"
    with pytest.raises(InputError, match=re.escape("'*4'")):
        encode("3*4")


def test_bad_names_are_refused():
    with pytest.raises(InputError, match="suite = 'sums'"):
        suite("sums")
    with pytest.raises(InputError, match="at least one"):
        mixture(())
    with pytest.raises(InputError) as error:
        mixture(("sums", "add", "products"))
    assert "sums" in str(error.value)
    assert "products" in str(error.value)
