"""Text cut into steps, and tokens by their step."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spo_theory import InputError
from spo_theory.feedback.text import step_of_tokens, steps_of_text, token_offsets


@pytest.mark.parametrize(
    ("text", "cut", "steps"),
    [
        ("1. a\n2. b", "numbered", ["1. a", "2. b"]),
        (
            "Let us see.\nStep 1: a\nmore of a\n**Step 2:** b",
            "numbered",
            ["Let us see.\nStep 1: a\nmore of a", "**Step 2:** b"],
        ),
        ("a\n\n  b  \r\nc", "lines", ["a", "b", "c"]),
        ("x is 3.5. Then y = 2! Why? So.", "sentences", ["x is 3.5.", "Then y = 2!", "Why?", "So."]),
        ("<step>a</step> chat <STEP>b\nc</STEP><step>open", "tags", ["a", "b\nc", "open"]),
        ("<step>a\nb</step><step>c</step>", "auto", ["a\nb", "c"]),
        ("1) a\n2) b\nc", "auto", ["1) a", "2) b\nc"]),
        ("a\nb", "auto", ["a", "b"]),
        ("one. two.", "auto", ["one.", "two."]),
        ("42", "auto", ["42"]),
        (" \n ", "auto", []),
        ("no numbers", "numbered", []),
    ],
)
def test_steps_of_text(text, cut, steps):
    assert [step.text for step in steps_of_text(text, cut)] == steps


@given(
    st.text(alphabet="ab1. \n)!<step>/é世", max_size=60),
    st.sampled_from(["auto", "numbered", "lines", "sentences", "tags"]),
)
def test_steps_are_pieces_of_the_text_in_order(text, cut):
    steps = steps_of_text(text, cut)
    assert all(text[step.start : step.end] == step.text == step.text.strip() != "" for step in steps)
    assert all(before.end <= after.start for before, after in pairwise(steps))
    # Only tags leave text out that is not space
    if cut in ("numbered", "lines", "sentences") and steps:
        assert "".join("".join(step.text for step in steps).split()) == "".join(text.split())


def test_every_token_has_the_step_that_its_last_character_is_in():
    text = "First, a.\nThen b.\nLast c."
    pieces = ["First", ", a.", "\n", "Then b", ".\nLast", " c."]
    assert "".join(pieces) == text
    steps = steps_of_text(text, "lines")
    by_hand = [max((i for i, s in enumerate(steps) if s.start < end), default=0) for _, end in token_offsets(pieces)]
    assert step_of_tokens(steps, token_offsets(pieces)).tolist() == by_hand == [0, 0, 0, 1, 2, 2]
    assert token_offsets([]) == []


def test_bad_input_is_named():
    with pytest.raises(InputError, match="cut = 'words'"):
        steps_of_text("a", "words")
    with pytest.raises(InputError, match="text = None"):
        steps_of_text(None)
    with pytest.raises(InputError, match="steps"):
        step_of_tokens([], [(0, 1)])
