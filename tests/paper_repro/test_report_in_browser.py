"""The report in headless Chromium: tables sort by key, the contents stay in view, a phone need not scroll sideways."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, IN_BROWSER, QUIET
from hand_tables import MANIFEST, comparison, curves

from figures import training
from paper_repro.claims.table import judge_claims
from paper_repro.report.pictures import picture_of
from paper_repro.report.render import render

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra 'test'")
pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[playwright.Page]":
    tables = {"curves": curves(6.0), "trained": curves(6.0), "comparison": comparison()}
    tables["claims"] = judge_claims(tables)
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(tables, {"training": picture_of(training.draw(curves(6.0)))}, MANIFEST), encoding="utf-8")
    said: list[str] = []
    asked: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        yield page
        browser.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]


def verdicts(page: "playwright.Page") -> list[str]:
    """The verdicts of the claims, from top to bottom."""
    return page.eval_on_selector_all("#claims ~ table:first-of-type td.verdict", "all => all.map(x => x.textContent)")


def test_a_table_sorts_by_key_both_ways_and_nothing_moves(tab: "playwright.Page") -> None:
    head = tab.locator("table").first.locator("th").first
    below = "document.getElementById('section-network').getBoundingClientRect().top + scrollY"
    before, place = verdicts(tab), tab.evaluate(below)
    head.locator("button").focus()
    tab.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    up = verdicts(tab)
    assert up != before
    assert sorted(up) == sorted(before)
    assert up[0] == "holds"
    assert up[-1] == "not testable here"
    tab.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert verdicts(tab)[0] == "not testable here"
    assert tab.evaluate(below) == place


def test_the_contents_stay_in_view(tab: "playwright.Page") -> None:
    for width in (1400, 390):
        tab.set_viewport_size({"width": width, "height": 800})
        tab.evaluate("document.getElementById('made').scrollIntoView()")
        assert tab.locator("nav").bounding_box()["y"] >= 0


def test_a_phone_shows_verdicts_first_and_nothing_is_cut_off(tab: "playwright.Page") -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    row = tab.locator("table").first.locator("tbody tr").first
    boxes = [cell.bounding_box() for cell in row.locator("td").all()]
    tops = [box["y"] for box in boxes if box is not None]  # empty cells are not shown
    assert tops == sorted(tops)
    assert len(set(tops)) == len(tops) >= 4
    assert "verdict" in row.locator("td").first.get_attribute("class")
