"""What the documentation site adds to the pages of docs/: pages from elsewhere, pages of methods and modules, formulas.

MkDocs calls the functions whose names start with ``on_``. Formulas become MathML, which browsers draw by themselves.
"""

import html
import json
import os
import re
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PACKAGES = ("spo_theory", "toy_llm", "figures", "paper_repro")

FROM_ELSEWHERE = {
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "tests/README.md": "tests/README.md",
    **{f"examples/lessons/{path.name}": f"lessons/{path.name}" for path in (ROOT / "examples/lessons").glob("*.md")},
}
"""Pages outside docs/, by their path in the project, and their place on the site."""

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[\w-]+)?\)")
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in docs/."""
    for source, place in FROM_ELSEWHERE.items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text(encoding="utf-8")))
    for place, text in {**method_pages(), **module_pages()}.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links between files of the project into links between pages of the site."""
    place = page.file.src_uri
    origin = next((source for source, there in FROM_ELSEWHERE.items() if there == place), f"docs/{place}")
    parts = CODE.split(markdown)
    parts[::2] = [LINK.sub(lambda found: _link(found, origin, place), part) for part in parts[::2]]
    text = "".join(parts)
    if place == "gallery.md":
        text += gallery()
    if place == "methods.md":  # every method has a page of its own
        text = re.sub(r"^\| `(\w+)` \|", r"| [`\1`](methods/\1.md) |", text, flags=re.MULTILINE)
    return text


def _link(found: re.Match[str], origin: str, place: str) -> str:
    """A link of the page ``origin`` of the project, as it has to stand in the page ``place`` of the site."""
    image, text, target, anchor = found[1], found[2], found[3], found[4] or ""
    if ":" in target or origin not in {*FROM_ELSEWHERE, f"docs/{place}"} or place.startswith(("api/", "methods/")):
        return found[0]

    # Files of the project that are no pages are named, not linked
    goal = os.path.normpath(os.path.join(os.path.dirname(origin), target))
    if goal.startswith("docs/"):
        there = goal.removeprefix("docs/")
    elif goal in FROM_ELSEWHERE:
        there = FROM_ELSEWHERE[goal]
    else:
        return text
    return f"{image}[{text}]({os.path.relpath(there, os.path.dirname(place) or '.')}{anchor})"


def on_page_content(html: str, **_: Any) -> str:
    """Write formulas as MathML."""
    return FORMULA.sub(_formula, html)


def _formula(found: re.Match[str]) -> str:
    display = "block" if found[2] == "[" else "inline"
    return convert(html.unescape(found[3]), display=display)


def method_pages() -> dict[str, str]:
    """A page for every registered method: what it does, its source, its parts and its options."""
    from paper_repro.cli.methods import markdown_table, parts_in_words
    from spo_theory.methods.registry import rule

    pages = {}
    for name in rule.names():
        entry = rule.entry(name)
        parts = [[part, words] for part, words in parts_in_words(rule(name)).items()]
        options = [[option.name, str(option.default), option.help] for option in rule.options(name)]
        pages[f"methods/{name}.md"] = f"""# {entry.label}

{rule.describe(name)} Source: {entry.source}.

```sh
spo theory --rule {name} --step-success 0.3 --horizon 4    # exact
spo train --rule {name} --horizon 4 --updates 50           # trained
```

## Parts

What each part does is on the page of [step weights](../theory/step-weights.md).

{markdown_table(["part", "with default options"], parts, code=[0, 1])}
## Options

{markdown_table(["option", "default", "meaning"], options, code=[0, 1])}"""
    return pages


def gallery() -> str:
    """All figures by the question that they answer, with the commands and the code that make each.

    Pictures and texts are those that `docs/gallery.py` made last; a figure that is newer has none yet.
    """
    from paper_repro.studies.study import studies

    folder = ROOT / "docs/images/gallery"
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    parts = []
    for study in studies():
        if study.plates:
            parts.append(f"## {study.question}\n")
        for plate in study.plates:
            said = texts.get(plate.name, {"alt": "", "caption": "There is no picture of this figure yet."})
            alt = html.escape(f"{plate.title}. {said['alt']}")
            there = (folder / f"{plate.name}.webp").is_file()
            picture = f'<img src="images/gallery/{plate.name}.webp" alt="{alt}" loading="lazy">' if there else ""
            parts.append(
                f"### {plate.title} {{#{plate.name}}}\n\n{picture}\n\n{_plain(said['caption'])}\n\n"
                f"```sh\nspo figure {plate.name} --results out\nspo reproduce --only {study.name} --out out\n```\n\n"
                f"Code: {', '.join(_reference(module) for module in study.code(plate))}.\n"
            )
    return "\n" + "\n".join(parts)


def _plain(text: str) -> str:
    """A text in which nothing is taken for Markdown."""
    return re.sub(r"([\\`*_$\[\]#|])", r"\\\1", html.escape(text, quote=False))


def _reference(module: str) -> str:
    """A link to a module in the reference."""
    return f"[`{module}`](api/{module.rpartition('.')[0]}.md#{module})"


def module_pages() -> dict[str, str]:
    """A page for every package with the reference of its modules, and a page that lists them."""
    by_package: dict[str, list[str]] = {}
    for top in PACKAGES:
        for found in walk_packages([str(ROOT / top)], f"{top}."):
            if not found.ispkg and not found.name.split(".")[-1].startswith("_"):
                by_package.setdefault(found.name.rpartition(".")[0], []).append(found.name)

    pages = {}
    for package, modules in by_package.items():
        entries = "\n".join(f"## {name.rpartition('.')[2]}\n\n::: {name}\n" for name in modules)
        pages[f"api/{package}.md"] = f"# {package}\n\n{entries}"
    rows = "\n".join(
        f"- [{package}]({package}.md): {', '.join(name.rpartition('.')[2] for name in modules)}"
        for package, modules in sorted(by_package.items())
    )
    pages["api/index.md"] = f"# Modules\n\nEvery public function has an example that the tests run.\n\n{rows}\n"
    return pages
