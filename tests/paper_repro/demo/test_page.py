"""The live page in headless Chromium: it fetches nothing, its numbers are the library's, bad input gets a sentence."""

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM, IN_BROWSER, QUIET

from paper_repro.demo.page import VIEWS, page
from paper_repro.demo.record import RECORD, RECORDED, settings_of
from paper_repro.forecast.configuration import Configuration
from spo_theory.methods.registry import rule
from toy_llm.config import TrainConfig

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra 'test'")
pytestmark = IN_BROWSER
OPEN = "open=" + ",".join(VIEWS)


@dataclass
class Tab:
    """The page in a browser, and what it said and asked for."""

    page: "playwright.Page"
    url: str
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def show(self, address: str) -> None:
        """Open the page with an address behind the #."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}#{address}")
        self.settle()

    def settle(self) -> None:
        """Wait for the views that are drawn when the sliders rest."""
        self.page.wait_for_function("document.body.dataset.settled === document.body.dataset.draws")

    def numbers(self) -> dict[str, float]:
        """All named numbers on the page."""
        pairs = self.page.eval_on_selector_all(
            "[data-name]", "all => all.map((x) => [x.dataset.name, x.dataset.value])"
        )
        return {name: float(value) for name, value in pairs}


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    path: Path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page(), encoding="utf-8")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        opened = Tab(browser.new_page(viewport={"width": 1280, "height": 900}), path.as_uri())
        opened.page.on("console", lambda message: opened.said.append(message.text))
        opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.page.on("request", lambda request: opened.asked.append(request.url.split("#")[0]))
        yield opened
        browser.close()
        assert set(opened.asked) - {"about:blank"} == {opened.url}
        assert opened.said == []


def printed(code: str) -> dict[str, float]:
    """What the lines of Python of a view print: a name and a number in each line."""
    written = io.StringIO()
    with redirect_stdout(written):
        exec(compile(code, "the page", "exec"), {})
    return {line.split()[0]: float(line.split()[1]) for line in written.getvalue().splitlines()}


@pytest.mark.parametrize(
    ("address", "views"),
    [
        ("H=2&q=0.4,0.6&methods=grpo,spo&updates=40&G=3", ["group", "curves", "steps", "map", "costs"]),
        (
            "H=2&q=0.3&spread=1.2&methods=spo&updates=30&G=3&miss=0.2&alarm=0.1&scope=all_incorrect&beta=3",
            ["group", "curves", "steps"],
        ),
    ],
)
def test_the_code_that_is_shown_computes_the_numbers_that_are_shown(tab: Tab, address: str, views: list[str]) -> None:
    tab.show(f"{address}&open={','.join(views)}")
    numbers = tab.numbers()
    found: dict[str, float] = {}
    for view in views:
        found |= printed(tab.page.locator(f"#{view} pre code").text_content())

    assert set(found) == set(numbers)
    assert len(found) >= 8
    assert found == pytest.approx(numbers, rel=0, abs=1e-9, nan_ok=True)


def test_a_cell_of_the_map_is_a_start(tab: Tab) -> None:
    tab.show("open=map&H=3")
    tab.page.focus('#map button[data-early="0.9"][data-last="0.5"]')
    tab.page.keyboard.press("Enter")
    assert "q=0.9,0.9,0.5" in tab.page.url
    tab.settle()
    assert tab.numbers()["map-here"] < 0
    assert tab.page.evaluate("document.activeElement.id") == "map-0.9-0.5"


def test_the_recorded_network_is_replayed(tab: Tab) -> None:
    tab.show("open=run")
    forecast = tab.page.locator("#run polyline[stroke-dasharray='6 4']")
    network = tab.page.locator("#run polyline[stroke-dasharray='']")
    assert forecast.count() == network.count() == 6  # two rules, three seeds
    whole = len(network.first.get_attribute("points").split())
    assert whole == RECORDED[0].base.updates + 1

    tab.page.click("#run .play")
    tab.page.wait_for_function("document.querySelectorAll('#run polyline')[3].points.length < 100")
    tab.page.wait_for_function(f"document.querySelectorAll('#run polyline')[3].points.length == {whole}")
    tab.page.click("#run .which >> text=Adam")
    assert len(network.first.get_attribute("points").split()) == RECORDED[1].base.updates + 1


def test_the_record_is_of_today_s_configurations(tab: Tab) -> None:
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    assert [run["settings"] for run in record] == [settings_of(spec) for spec in RECORDED]
    for run, spec in zip(record, RECORDED, strict=True):
        for name in spec.rules:
            shapes = {source: np.shape(values) for source, values in run["curves"][name].items()}
            assert shapes == dict.fromkeys(("network", "theory"), (len(spec.seeds), spec.base.updates + 1))

    # The lines of Python name the same configuration
    tab.show("open=run")
    [line] = [x for x in tab.page.locator("#run pre code").text_content().splitlines() if x.startswith("spec =")]
    assert (
        eval(line.removeprefix("spec ="), {"Configuration": Configuration, "TrainConfig": TrainConfig}) == RECORDED[0]
    )


def test_a_guess_reveals_the_view_and_says_what_is_right(tab: Tab) -> None:
    tab.show("")
    assert tab.numbers() == {}
    tab.page.click("#curves .guess >> text=GRPO")
    assert "You guessed “GRPO”. It is: SPO (colouring)." in tab.page.inner_text("#curves .verdict")
    assert tab.numbers()["spo-half"] < tab.numbers()["grpo-half"]
    assert tab.page.url.endswith("#open=curves")


def test_the_keyboard_moves_a_slider_and_the_address_follows(tab: Tab) -> None:
    tab.show(OPEN)
    before = tab.numbers()["silent"]
    tab.page.focus("#dial-G")
    tab.page.keyboard.press("ArrowRight")
    assert "G=9" in tab.page.url
    assert tab.numbers()["silent"] < before

    # The same address shows the same numbers
    tab.settle()
    shown = tab.numbers()
    tab.show(tab.page.url.split("#")[1])
    assert tab.numbers() == pytest.approx(shown, rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("G=", "G = nothing is not allowed: a whole number from 2 to 64."),
        ("H=3.5", "H = 3.5 is not allowed: a whole number from 1 to 12."),
        ("beta=-1", "beta = -1 is not allowed: a number from 0.1 to 20."),
        ("q=0.3,0.4", "q = 0.3,0.4 is not allowed: one number from 0.01 to 0.99, or one for each of 6 steps."),
        ("methods=magic", "methods = magic is not allowed: some of"),
        ("scope=%3Cb%3E", "scope = <b> is not allowed: all_negative or all_incorrect."),
        ("nonsense", "nonsense is not known: the address may hold"),
    ],
)
def test_bad_input_in_the_address_gets_a_sentence(tab: Tab, address: str, sentence: str) -> None:
    tab.show(f"{address}&{OPEN}")
    assert sentence in tab.page.inner_text("#problems")
    assert tab.numbers()["silent"] > 0.9


def test_too_large_a_sum_gets_a_sentence(tab: Tab) -> None:
    tab.show(f"H=12&G=64&methods=spo_prefix&{OPEN}")
    assert "take a smaller group or fewer steps" in tab.page.inner_text("#curves .problem")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(tab: Tab, scheme: str) -> None:
    tab.page.set_viewport_size({"width": 390, "height": 844})
    tab.page.emulate_media(color_scheme=scheme)
    tab.show(f"H=12&methods=grpo,spo,ngrpo,sign&{OPEN}")
    assert tab.page.evaluate("document.documentElement.scrollWidth") == 390
    tab.page.set_viewport_size({"width": 1280, "height": 900})


def test_methods_look_as_they_are_registered(tab: Tab) -> None:
    tab.show("")
    labels = tab.page.eval_on_selector_all("#methods label", "all => all.map((x) => x.textContent)")
    assert labels == [rule.entry(name).label for name in tab.page.evaluate("KNOWN")]


def test_the_page_is_small_and_names_its_views_once() -> None:
    text = page()
    assert len(text.encode()) <= 600_000
    assert all(text.count(f'<section id="{name}"') == 1 for name in VIEWS)
