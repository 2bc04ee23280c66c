"""From the text of an option to its value: what each kind of option accepts, in words and as a function."""

from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin


class Kind(NamedTuple):
    """How a text becomes a value.

    metavar: stands for the value in the help. words: what is allowed, in words.
    convert: from the text to the value; raises `ValueError` for a text that is not allowed.
    """

    metavar: str
    words: str
    convert: Callable[[str], Any]


def _path(text: str) -> Path:
    """A path; the empty text is none, although it would stand for the current folder."""
    if not text:
        raise ValueError(text)
    return Path(text)


PLAIN: dict[type, Kind] = {
    int: Kind("INT", "a whole number", int),
    float: Kind("FLOAT", "a number", float),
    str: Kind("STR", "a text", str),
    Path: Kind("PATH", "a path that is not empty", _path),
}


def kind_of(annotation: Any) -> Kind | None:
    """How to read an option of a type.

    annotation: one of `PLAIN`, a ``Literal``, or one of these or None. Returns None for any other type.

    Example:
        >>> kind_of(float | None).convert("0.5")
        0.5
        >>> kind_of(Literal["sgd", "adam"]).words
        'sgd or adam'
        >>> kind_of(list) is None
        True
    """
    if get_origin(annotation) is Literal:
        return _choice(get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not NoneType]
        inner = kind_of(members[0]) if len(members) == 1 else None
        return None if inner is None else _optional(inner)
    return PLAIN.get(annotation)


def _choice(allowed: tuple[Any, ...]) -> Kind:
    """One of the values ``allowed``, as they are written."""
    by_text = {str(value): value for value in allowed}

    def convert(text: str) -> Any:
        """The value that is written as ``text``; raises `ValueError` if there is none."""
        if text not in by_text:
            raise ValueError(text)
        return by_text[text]

    return Kind("{" + ",".join(by_text) + "}", " or ".join(by_text), convert)


def _optional(inner: Kind) -> Kind:
    """A value of the kind ``inner``, or the word None."""
    return Kind(inner.metavar, inner.words, lambda text: None if text == "None" else inner.convert(text))
