"""The small vocabulary that all suites share, and how numbers are written in it."""

import re

from spo_theory.validation import InputError

TOKENS = ("pad", "end", ";", "=", *"0123456789", "+", "-", "x", "(", ")", ",", "mod", "rec")
ID = {token: i for i, token in enumerate(TOKENS)}
PAD = ID["pad"]
END = ID["end"]
SEP = ID[";"]

_LONGEST_FIRST = sorted(TOKENS, key=len, reverse=True)
_NEXT = re.compile(" *(" + "|".join(map(re.escape, _LONGEST_FIRST)) + ")")
"""The next token of a text. The longest comes first: "mod" is one token, not a letter that is unknown."""


def encode(text: str) -> list[int]:
    """Tokens of a text; longer tokens such as ``mod`` are matched before single characters, spaces are ignored.

    Raises `InputError` where no token fits.

    >>> [TOKENS[token] for token in encode("mod10,7+5=")]
    ['mod', '1', '0', ',', '7', '+', '5', '=']
    """
    tokens: list[int] = []
    text = text.rstrip(" ")
    at = 0
    while at < len(text):
        found = _NEXT.match(text, at)
        if found is None:
            raise InputError(f"text {text!r} has no token at {text[at:].lstrip(' ')!r}; tokens: {' '.join(TOKENS)}")
        tokens.append(ID[found[1]])
        at = found.end()
    return tokens


def decode(tokens: list[int]) -> str:
    """Text of tokens, without padding, up to and including the first end; anything unknown is ``?``.

    >>> decode([*spell(-12), SEP, END, END])
    '-12;end'
    """
    # For people to read, so that nothing is refused.
    words = [TOKENS[token] if 0 <= token < len(TOKENS) else "?" for token in tokens]
    if "end" in words:
        words = words[: words.index("end") + 1]
    return "".join(word for word in words if word != "pad")


def spell(value: int) -> list[int]:
    """Tokens of a whole number: a minus sign if it is below zero, then its digits without leading zeros.

    >>> [TOKENS[token] for token in spell(-12)]
    ['-', '1', '2']
    """
    return [ID[character] for character in str(value)]
