"""Docstrings for the documentation site: examples become blocks of code, as Markdown wants them."""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"((?:^[ ]*>>> .*\n?)(?:^[ ]*\S.*\n?)*)", re.MULTILINE)


def fenced(text: str) -> str:
    """``text`` with every example, from its prompt to the next blank line, in a fence.

    >>> print(fenced(">>> 1 + 1\\n2"))
    ```pycon
    >>> 1 + 1
    2
    ```
    """

    def fence(found: re.Match[str]) -> str:
        lines = [line.strip() if line.lstrip().startswith(">>>") else line for line in found[1].rstrip().splitlines()]
        indent = min(len(line) - len(line.lstrip()) for line in found[1].rstrip().splitlines())
        body = "\n".join(line if line.startswith(">>>") else line[indent:] for line in lines)
        return f"\n```pycon\n{body}\n```\n"

    return EXAMPLE.sub(fence, text).strip("\n")


class Fences(griffe.Extension):
    """Puts the examples of every docstring into fences."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every module, class, function and attribute that was read."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
