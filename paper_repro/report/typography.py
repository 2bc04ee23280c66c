"""Formulas in plain text, such as ``H^2 <= G``, as HTML; numbers with the digits that a reader needs."""

import re
from collections.abc import Callable

from markupsafe import Markup, escape

_GREEK = {"beta": "β", "gamma": "γ", "rho": "ρ"}

_SIGNS = (
    ("&lt;=", "≤"),
    ("&gt;=", "≥"),
    ("+-", "±"),
    (" iff ", " if and only if "),
    ("sqrt(", "√("),
)

# Powers and indices belong to one letter or a bracket: names of options have dashes below of their own
_BRACKETED = r"(?:\(([^()]*)\)|\{([^}]*)\}|"
_POWER = r"(?<![A-Za-z])([A-Za-z0-9)])\^" + _BRACKETED + r"(\w+))"
_INDEX = r"(?<![A-Za-z_])([A-Za-zρ])_" + _BRACKETED + r"(\w)(?!\w))"

_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"\b(beta|gamma|rho)\b(?![_.=])", lambda found: _GREEK[found[1]]),
    (_POWER, lambda found: f"{found[1]}{_small('sup', found)}"),
    (_INDEX, lambda found: f"{found[1]}{_small('sub', found)}"),
    (r"(?<=\d) x (?=\d)", lambda found: " × "),
    (r"\b(\d(?:\.\d+)?)e-0*(\d+)\b", lambda found: _ten_to(found[1], found[2])),
    (r"\b\d+\.\d{7,}\b", lambda found: f"{float(found[0]):.4g}"),
)


def typeset(text: str) -> Markup:
    """``text``, escaped, with powers, indices, Greek letters and signs as they are printed.

    >>> typeset("at most H^2 + H / q, Q_{h-1} <= 0.10000000000000002, for every beta")
    Markup('at most H<sup>2</sup> + H / q, Q<sub>h-1</sub> ≤ 0.1, for every β')
    """
    written = str(escape(text))
    for plain, sign in _SIGNS:
        written = written.replace(plain, sign)
    for pattern, printed in _PATTERNS:
        written = re.sub(pattern, printed, written)
    return Markup(written)


def _small(tag: str, found: re.Match[str]) -> str:
    """A power or an index, without the brackets around it."""
    inside = next(part for part in found.groups()[1:] if part is not None)
    return f"<{tag}>{inside}</{tag}>"


def _ten_to(factor: str, digits: str) -> str:
    """A number written with e, as a power of ten."""
    return ("" if factor == "1" else f"{factor}·") + f"10<sup>−{digits}</sup>"
