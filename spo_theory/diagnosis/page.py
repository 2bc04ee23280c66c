"""A diagnosis as one HTML page with drawings, nothing else needed to read it."""

from html import escape

from spo_theory.diagnosis.findings import Diagnosis
from spo_theory.diagnosis.summary import summary

COLOURS = {"all wrong": "#D55E00", "mixed": "#0072B2", "all right": "#009E73"}
"""Of the groups in all drawings; colour-blind safe."""

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#222}
pre{background:#f6f6f6;padding:1rem;overflow-x:auto;font-size:13px}svg{width:100%;height:auto}
td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}
"""


def page(found: Diagnosis) -> str:
    """The page. Texts of the log are not in it, only numbers; names are escaped."""
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'><title>Diagnosis of a run</title>",
        f"<style>{STYLE}</style><h1>Diagnosis of a run</h1>",
        "<h2>Groups</h2>",
        bars({name: found.shares[name] for name in COLOURS}),
    ]
    if found.parts:
        lines = {name: [((part.first + part.last) / 2, part.shares[name]) for part in found.parts] for name in COLOURS}
        parts += ["<h2>Over time</h2>", curves(lines, "training step")]
    if len(found.sizes) > 1:
        sizes = {
            "all wrong": [(float(size.k), size.all_wrong) for size in found.sizes],
            "mixed": [(float(size.k), size.mixed) for size in found.sizes],
        }
        parts += ["<h2>Other group sizes</h2>", curves(sizes, "group size (subsets of the responses that are there)")]
    parts += ["<h2>In words</h2>", f"<pre>{escape(summary(found))}</pre>", "</html>"]
    return "\n".join(parts) + "\n"


def bars(shares: dict) -> str:
    """Horizontal bars of shares with 95 % intervals."""
    rows = []
    for place, (name, one) in enumerate(shares.items()):
        y = 20 + 40 * place
        left, right = 120 + 500 * one.low, 120 + 500 * one.high
        rows.append(
            f"<text x='110' y='{y + 17}' text-anchor='end'>{name}</text>"
            f"<rect x='120' y='{y}' width='{500 * one.value:.1f}' height='24' fill='{COLOURS[name]}'/>"
            f"<line x1='{left:.1f}' x2='{right:.1f}' y1='{y + 12}' y2='{y + 12}' stroke='#222' stroke-width='2'/>"
            f"<text x='640' y='{y + 17}'>{one.percent()}</text>"
        )
    foot = "<text x='120' y='150' font-size='13'>share of groups; lines: 95 % intervals over questions</text>"
    return f"<svg viewBox='0 0 800 160' role='img' aria-label='shares of groups'>{''.join(rows)}{foot}</svg>"


def curves(lines: dict, label: str) -> str:
    """Shares against a number, with 95 % intervals; the axis below says ``label``."""
    numbers = [x for points in lines.values() for x, _ in points]
    low, high = min(numbers), max(numbers)

    def across(x: float) -> float:
        """Where a number stands."""
        return 70 + 600 * (x - low) / (high - low if high > low else 1)

    def down(share: float) -> float:
        """Where a share stands."""
        return 260 - 240 * share

    drawn = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = down(share)
        drawn.append(f"<line x1='70' x2='670' y1='{y}' y2='{y}' stroke='#ddd'/>")
        drawn.append(f"<text x='62' y='{y + 5}' text-anchor='end' font-size='13'>{100 * share:.0f} %</text>")
    for x in sorted({points[i][0] for points in lines.values() for i in (0, len(points) // 2, -1)}):
        drawn.append(f"<text x='{across(x):.1f}' y='280' text-anchor='middle' font-size='13'>{x:g}</text>")
    for place, (name, points) in enumerate(lines.items()):
        colour = COLOURS[name]
        path = " ".join(f"{across(x):.1f},{down(one.value):.1f}" for x, one in points)
        drawn.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='3'/>")
        for x, one in points:
            beside = across(x) + 3 * place  # intervals at one place must not hide each other
            ends = f"y1='{down(one.low):.1f}' y2='{down(one.high):.1f}'"
            drawn.append(f"<line x1='{beside:.1f}' x2='{beside:.1f}' {ends} stroke='{colour}'/>")
        drawn.append(f"<text x='685' y='{40 + 24 * place}' fill='{colour}'>{name}</text>")
    foot = f"{escape(label)}; share of groups, vertical lines: 95 % intervals over questions"
    drawn.append(f"<text x='370' y='305' text-anchor='middle' font-size='14'>{foot}</text>")
    return f"<svg viewBox='0 0 800 315' role='img' aria-label='{escape(label)}'>{''.join(drawn)}</svg>"
