"""A written response as steps of reasoning, and its tokens by the step they belong to."""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

import numpy as np

from spo_theory.validation import check

Cut = Literal["auto", "tags", "numbered", "lines", "sentences"]
"""Where one step ends and the next begins; ``auto`` takes the first of the others that finds two steps."""

_NUMBERED = re.compile(r"^[ \t]*(?:\*\*)?(?:step[ \t]*)?\d+[ \t]*[.):]", re.IGNORECASE | re.MULTILINE)
_TAGS = re.compile(r"<step>(.*?)(?:</step>|$)", re.IGNORECASE | re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=\S)")


class Step(NamedTuple):
    """One step: its text, and the characters ``start`` (included) to ``end`` (excluded) that it covers."""

    text: str
    start: int
    end: int


def steps_of_text(text: str, cut: Cut = "auto") -> list[Step]:
    """Steps of a response, in order.

    ``cut``: ``tags`` takes what stands in ``<step>...</step>``; ``numbered`` begins a step at every line that starts
    with a number ("1.", "2)", "Step 3:"), and what stands before the first of them belongs to it; ``lines`` takes
    every line that is not empty; ``sentences`` cuts behind ``.``, ``!`` and ``?`` where space follows, which also cuts
    behind "e.g. ". Texts are stripped of space at both ends. A text without any character gives no step.
    Raises `InputError` for an unknown ``cut`` or a text that is no string.

    Example:
        >>> [step.text for step in steps_of_text("1. 2 + 3 = 5\\n2. 5 * 4 = 20")]
        ['1. 2 + 3 = 5', '2. 5 * 4 = 20']
        >>> steps_of_text("So x = 4. Hence 2x = 8.", cut="sentences")[1]
        Step(text='Hence 2x = 8.', start=10, end=23)
    """
    check(isinstance(text, str), "text", text, "a string")
    check(cut in get_args(Cut), "cut", cut, f"one of {', '.join(get_args(Cut))}")
    if cut != "auto":
        return _CUTS[cut](text)

    # The first way that sees several steps; a text that none of them can cut is one step
    for way in _CUTS.values():
        found = way(text)
        if len(found) > 1:
            return found
    return _between(text, [0, len(text)])


def _tags(text: str) -> list[Step]:
    spans = [match.span(1) for match in _TAGS.finditer(text)]
    return [step for start, end in spans for step in _between(text, [start, end])]


def _numbered(text: str) -> list[Step]:
    starts = [match.start() for match in _NUMBERED.finditer(text)]
    return _between(text, [0, *starts[1:], len(text)]) if starts else []


def _lines(text: str) -> list[Step]:
    ends = [match.end() for match in re.finditer("\n", text)]
    return _between(text, [0, *ends, len(text)])


def _sentences(text: str) -> list[Step]:
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return _between(text, [0, *ends, len(text)])


def _between(text: str, borders: Sequence[int]) -> list[Step]:
    """The pieces between neighbouring borders, stripped, without the empty ones."""
    steps = []
    for start, end in pairwise(borders):
        piece = text[start:end]
        stripped = piece.strip()
        if stripped:
            first = start + piece.index(stripped[0])
            steps.append(Step(stripped, first, first + len(stripped)))
    return steps


_CUTS: dict[str, Callable[[str], list[Step]]] = {
    "tags": _tags,
    "numbered": _numbered,
    "lines": _lines,
    "sentences": _sentences,
}


def step_of_tokens(steps: Sequence[Step], offsets: Sequence[tuple[int, int]]) -> np.ndarray:
    """Which step each token belongs to ``(T,)``, from 0.

    ``offsets``: characters ``(start, end)`` of every token, as fast tokenizers return them. A token belongs to the
    last step that begins before the token ends; what stands before the first step belongs to the first, so that every
    token has a step. Raises `InputError` without steps.

    Example:
        >>> step_of_tokens(steps_of_text("ab. cd.", "sentences"), [(0, 2), (2, 3), (3, 6), (6, 7)]).tolist()
        [0, 0, 1, 1]
    """
    check(len(steps) > 0, "steps", list(steps), "at least one step")
    starts = [step.start for step in steps]
    places = [bisect_right(starts, end - 1) - 1 for _, end in offsets]
    return np.maximum(np.array(places, dtype=np.int64), 0)


def token_offsets(pieces: Sequence[str]) -> list[tuple[int, int]]:
    """Characters ``(start, end)`` of tokens whose texts are ``pieces``, one after the other.

    Example:
        >>> token_offsets(["ab", " c"])
        [(0, 2), (2, 4)]
    """
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True)) if pieces else []
