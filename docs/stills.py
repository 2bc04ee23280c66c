"""Makes the pictures of the live page in the documentation: ``python docs/stills.py``, with the extra `test`.

With a folder of results, ``python docs/stills.py out``, those of its report instead.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from paper_repro.demo.page import page

IMAGES = Path(__file__).parent / "images"

STILLS = {
    # name: address of the page, id of what stands at the top, width and height of the window, light or dark
    "page.png": ("open=group,curves", "title", 1180, 760, "light"),
    "page-map.png": ("open=map,costs,run", "map", 1180, 1500, "light"),
    "page-phone.png": ("open=group,curves", "curves", 390, 844, "dark"),
}

REPORT = {
    "report.png": ("", "", 1180, 900, "light"),
    "report-phone.png": ("", "", 390, 844, "dark"),
}
"""The same of a report, which has no views to open."""


def main(results: Path | None) -> None:
    """Write every still, about a second each; ``results``: a folder with a report, None for the live page."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        path = Path(folder) / "page.html"
        if results is None:
            path.write_text(page(), encoding="utf-8")
        else:
            path = (results / "report.html").resolve()
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        stills = STILLS if results is None else REPORT
        for name, (address, top, width, height, scheme) in stills.items():
            tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            tab.goto(f"{path.as_uri()}#{address}")
            if results is None:
                tab.wait_for_function("document.body.dataset.settled === document.body.dataset.draws")
                tab.evaluate(f"document.getElementById('{top}').scrollIntoView()")
            tab.screenshot(path=IMAGES / name)
            tab.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
