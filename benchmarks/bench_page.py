"""Speed of the live page: from a slider's move to its changed curves, in headless Chromium. Needs the extra `test`."""

import argparse
import random
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from paper_repro.demo.page import page

OPENED = "methods=grpo,spo&open=group,curves,steps"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chooser = random.Random(options.seed)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("The live page was not measured: no Chromium is installed.")
        return

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        path = Path(folder) / "page.html"
        path.write_text(page(), encoding="utf-8")
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(f"{path.as_uri()}#{OPENED}")

        times = []
        for _ in range(options.moves):
            # A random slider to a random place within its range, and from the event to the finished layout
            [name] = chooser.choices(["H", "G", "beta", "gamma", "miss", "alarm", "updates", "rate", "spread", "q-all"])
            slider = f"#{name}" if name == "q-all" else f"#dial-{name}"
            times.append(tab.eval_on_selector(slider, MOVE, chooser.random()))
        browser.close()

    ordered = sorted(times)
    print(f"{len(times)} random moves of sliders, H up to 12, G up to 64, two rules, three views:")
    tenth = ordered[len(times) * 9 // 10]
    print(f"median {statistics.median(times):.0f} ms, nine in ten below {tenth:.0f} ms, worst {ordered[-1]:.0f} ms")


MOVE = """(slider, share) => {
  const { min, max, step } = slider;
  const places = Math.round((max - min) / step);
  slider.value = String(Number(min) + Math.round(share * places) * Number(step));
  const begun = performance.now();
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  document.body.getBoundingClientRect();
  return performance.now() - begun;
}"""


if __name__ == "__main__":
    main()
