"""Every link of the documentation, and every page and anchor that a source file names, leads somewhere."""

import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "tests" / "README.md"]
PAGES_OF_DOCS = sorted((ROOT / "docs").rglob("*.md"))
LESSONS = sorted((ROOT / "examples").rglob("*.md"))
PAGES = [*GUIDES, ROOT / "CHANGELOG.md", *PAGES_OF_DOCS, *LESSONS]
PACKAGES = "spo_theory|toy_llm|figures|paper_repro"
SOURCE_FOLDERS = ("spo_theory", "toy_llm", "figures", "paper_repro", "benchmarks")
SOURCES = sorted(path for folder in SOURCE_FOLDERS for kind in ("*.py", "*.j2") for path in (ROOT / folder).rglob(kind))
ELSEWHERE = ("http://", "https://", "mailto:")

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
NAMED_PAGE = re.compile(r"(?<![\w/-])((?:docs/(?:theory/)?)?[\w-]+\.md)(#[\w-]+)?")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def path_in_project(page: Path) -> str:
    """Path of a page from the root of the project, the name of its test."""
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """Anchors of a page: those written out, and one for every heading, spelt as GitHub spells it."""
    text = page.read_text(encoding="utf-8")
    written = re.findall(r'<a id="([^"]+)"></a>', text)
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return {*written, *(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)}


def broken_link(target: str, page: Path) -> str | None:
    """What is wrong with a link of ``page`` to ``target``, None if it leads somewhere."""
    file, _, anchor = target.partition("#")
    goal = (page.parent / file).resolve() if file else page
    if not goal.exists():
        return f"{page.name}: there is no {target}"
    if anchor and anchor not in anchors(goal):
        return f"{page.name}: {goal.name} has no anchor {anchor}"
    return None


def broken_links(page: Path) -> list[str]:
    """What is wrong with the links of a page to other files of the project."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    found = [broken_link(target, page) for target in LINK.findall(text) if not target.startswith(ELSEWHERE)]
    return [line for line in found if line is not None]


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in a module."""
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def named_page(name: str) -> Path | None:
    """The page that a source file names: by its path, or bare, in the root or in ``docs/theory``; None if none is."""
    places = [ROOT / name] if "/" in name else [ROOT / name, ROOT / "docs" / "theory" / name]
    return next((page for page in places if page.exists()), None)


def broken_names(source: Path) -> list[str]:
    """What is wrong with the pages that a source file names."""
    lines = []
    for name, anchor in NAMED_PAGE.findall(source.read_text(encoding="utf-8")):
        page = named_page(name)
        if page is None:
            lines.append(f"{source.name}: there is no {name}")
        elif anchor and anchor[1:] not in anchors(page):
            lines.append(f"{source.name}: {name} has no anchor {anchor}")
    return lines


@pytest.mark.parametrize("page", PAGES, ids=path_in_project)
def test_links_of_a_page_lead_somewhere(page):
    assert broken_links(page) == []


def test_pages_named_in_sources_exist():
    named = [name for source in SOURCES for name in NAMED_PAGE.findall(source.read_text(encoding="utf-8"))]
    assert len(named) > 20
    assert [line for source in SOURCES for line in broken_names(source)] == []


def test_the_index_lists_every_page():
    index = ROOT / "docs" / "index.md"
    listed = {(index.parent / target).resolve() for target in LINK.findall(index.read_text(encoding="utf-8"))}
    assert {page for page in PAGES_OF_DOCS if page != index} <= listed


@pytest.mark.parametrize("page", [*GUIDES, *PAGES_OF_DOCS], ids=path_in_project)
def test_names_in_the_code_exist(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(rf"`((?:{PACKAGES})(?:\.\w+)+)`", text):
        assert exists(name), name


@pytest.mark.parametrize("page", [*GUIDES, *PAGES_OF_DOCS], ids=path_in_project)
def test_lines_are_short(page):
    prose = [line for line in page.read_text(encoding="utf-8").splitlines() if not line.startswith("|")]
    assert [line for line in prose if len(line) > 120] == []


def test_broken_ones_are_found(tmp_path):
    assert exists("spo_theory.validation")
    assert exists("spo_theory.validation.check")
    assert not exists("spo_theory.validation.gone")

    page = tmp_path / "page.md"
    page.write_text(
        '# One *heading*\n<a id="here"></a>\n[a](#here) [b](#one-heading) [c](page.md#here) [d](https://example.org)\n'
        "[e](#nowhere) [f](gone.md) [g](page.md#nowhere) `[h](gone.md)`\n",
        encoding="utf-8",
    )
    assert broken_links(page) == [
        "page.md: page.md has no anchor nowhere",
        "page.md: there is no gone.md",
        "page.md: page.md has no anchor nowhere",
    ]

    source = tmp_path / "source.py"
    source.write_text('"""docs/theory/judges.md, lengths.md#nowhere and docs/gone.md#here."""', encoding="utf-8")
    assert broken_names(source) == [
        "source.py: lengths.md has no anchor #nowhere",
        "source.py: there is no docs/gone.md",
    ]
