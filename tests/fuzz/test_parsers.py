"""Whatever a network writes is judged; whatever is no problem is refused in one line."""

import numpy as np
import pytest
import torch
from fuzz.junk import refusal
from hypothesis import given
from hypothesis import strategies as st

from toy_llm.problems.chain import ChainTask
from toy_llm.problems.reasoning_gym import question
from toy_llm.problems.suites import SUITES, mixture
from toy_llm.problems.tokens import TOKENS, decode, encode

TASKS = {"chain": ChainTask(4), **{name: mixture((name,)) for name in SUITES}}


@pytest.mark.parametrize("name", TASKS)
@given(seed=st.integers(0, 2**32 - 1), changed=st.integers(0, 40))
def test_any_tokens_are_judged(name, seed, changed):
    """True responses with some tokens replaced: the verdict says nothing impossible, and padding is ignored."""
    task = TASKS[name]
    luck = np.random.default_rng(seed)
    _, answers = task.questions("fuzz", seed % 1000, 0, 3)
    responses = answers[:, None].repeat(1, 2, 1)
    flat = responses.view(-1)
    places = luck.integers(0, len(flat), changed)
    flat[places] = torch.from_numpy(luck.integers(0, task.vocabulary, changed))

    verdict = task.judge(responses, answers)
    assert (verdict.first_error >= 0).all()
    assert (verdict.first_error <= verdict.steps).all()
    assert (verdict.step_lengths.sum(-1) == verdict.mask.sum(-1)).all()
    assert (verdict.steps >= 1).all()

    # a response is correct iff it is the true one as far as it is written
    true = task.judge(answers[:, None], answers)
    same = ((responses == answers[:, None]) | ~true.mask).all(-1)
    assert torch.equal(verdict.correct, same)

    # what follows the end does not count
    other = torch.where(verdict.mask, responses, (responses + 1) % task.vocabulary)
    assert torch.equal(task.judge(other, answers).first_error, verdict.first_error)


@given(st.one_of(st.text(max_size=12), st.lists(st.sampled_from(TOKENS), max_size=12).map("".join)))
def test_text_is_tokens_or_is_refused(text):
    said = refusal(lambda: encode(text))
    if said is None:
        assert decode(encode(decode(encode(text)))) == decode(encode(text))
    else:
        assert "has no token at" in said


@given(st.lists(st.integers(-(2**40), 2**40)))
def test_any_token_numbers_have_a_text(tokens):
    assert isinstance(decode(tokens), str)


@given(
    st.lists(st.sampled_from(["1", "22", "-3", "+", "-", "*", "", "x", "1.5", "٣"]), max_size=7).map(" ".join),
    st.sampled_from(["0", "4", "", "x"]),
)
def test_problems_of_another_package_are_chains_or_are_refused(expression, answer):
    entry = {"metadata": {"expression": expression}, "answer": answer}
    said = refusal(lambda: question(entry))
    if said is None:
        made = question(entry)
        assert str(made.values()[-1] if made.steps else int(expression)) == answer
    else:
        assert "\n" not in said
