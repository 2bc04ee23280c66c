"""Building the live page from its parts: one HTML file that fetches nothing and works when opened from a file."""

import json
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from spo_theory.methods.registry import rule

ENGINE = ("chain", "methods", "quadrature", "compositions", "remedies", "engine")
"""Files of the engine, in the order in which they are loaded."""

PAGE = ("state", "plot", "python", "views", "wide_views", "app")
"""Files of the page, which stand behind those of the engine."""

VIEWS = {
    "group": "Why is the loss zero?",
    "curves": "How long is the stall?",
    "steps": "What does one update teach?",
    "map": "Does colouring always help?",
    "costs": "What does each remedy cost?",
    "run": "Does a real network do the same?",
}
"""Titles of the views, by the names that the page's address uses."""


def engine_source() -> str:
    """The engine in JavaScript: plain functions, no modules, so that a page opened from a file can run it.

    Example:
        >>> engine_source().startswith("// The reasoning chain")
        True
    """
    return "\n".join(_part(f"engine/{name}.js") for name in ENGINE)


def page() -> str:
    """The live page as one HTML document.

    Labels and colours of the methods are those of the registry, so that a method looks the same everywhere.

    Example:
        >>> page().startswith("<!doctype html>")
        True
    """
    # Nothing inside a script element is escaped, and nothing in our sources may end it
    script = engine_source() + "\n" + "\n".join(_part(f"page/{name}.js") for name in PAGE)
    assert "</script" not in script

    entries = {name: rule.entry(name) for name in rule.names()}
    looks = {name: {"label": entry.label, "colour": entry.colour} for name, entry in entries.items()}
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(_part("page/page.html.j2"))
    return template.render(
        style=Markup(_part("page/style.css")),
        script=Markup(script),
        looks=looks,
        record=json.loads(_part("data/record.json")),
        views=[{"name": name, "title": title} for name, title in VIEWS.items()],
        version=version("spectral-policy-lab"),
    )


@cache
def _part(name: str) -> str:
    """Text of a file of this package."""
    return (files("paper_repro.demo") / name).read_text(encoding="utf-8")
