"""PGF pictures for LaTeX documents, written without LaTeX: matplotlib's own way asks it for the size of every text."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib.backends import backend_pgf
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.backends.backend_pgf import RendererPgf

MATH = re.compile(r"((?<!\\)\$.*?(?<!\\)\$)")

SIGNS = {
    "_": r"\_",
    "&": r"\&",
    "#": r"\#",
    "~": r"\textasciitilde{}",
    "–": "--",
    "…": r"\ldots{}",
    **{
        sign: rf"\ensuremath{{\{name}}}"
        for sign, name in {
            "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "η": "eta", "κ": "kappa",
            "λ": "lambda", "μ": "mu", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "∞": "infty", "≤": "le",
            "≥": "ge", "≠": "ne", "×": "times", "·": "cdot", "±": "pm", "→": "to", "≈": "approx", "∝": "propto",
            "∂": "partial", "Σ": "Sigma", "Δ": "Delta", "∈": "in",
        }.items()
    },
    "²": r"\ensuremath{^2}",
    "³": r"\ensuremath{^3}",
    "½": r"\ensuremath{\frac12}",
}  # fmt: skip
"""How LaTeX writes what it does not take as it is, outside of formulas."""


def escaped(text: str) -> str:
    r"""A text of a figure as any LaTeX takes it; formulas between dollars stay as they are.

    >>> escaped("β of spo_prefix, $x_1$")
    '\\ensuremath{\\beta} of spo\\_prefix, $x_1$'
    """
    parts = MATH.split(text)
    parts[::2] = ["".join(SIGNS.get(sign, sign) for sign in part) for part in parts[::2]]
    return "".join(parts).replace(r"\mathdefault", "")  # a command of matplotlib's, which no document has


class _Renderer(RendererPgf):
    """Draws as matplotlib does, but measures texts in matplotlib's font, which LaTeX's font resembles in size."""

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:
        """Width, height and descent of a text in dots."""
        # The canvas of the measuring renderer plays no role, only its resolution
        return RendererAgg(1, 1, self.dpi).get_text_width_height_descent(s, prop, ismath)

    def draw_text(self, gc: Any, x: float, y: float, s: str, *arguments: Any, **named: Any) -> None:
        """Draw a text, with what LaTeX would stumble over escaped."""
        super().draw_text(gc, x, y, escaped(s), *arguments, **named)


@contextmanager
def without_latex() -> Iterator[None]:
    """Let ``figure.savefig(path, format="pgf")`` work without LaTeX inside a ``with`` block."""
    # Matplotlib has no setting for it: the renderer, and the test for an option of \includegraphics, are exchanged
    ours = {"RendererPgf": _Renderer, "_get_image_inclusion_command": lambda: r"\includegraphics"}
    before = {name: getattr(backend_pgf, name) for name in ours}
    try:
        for name, value in ours.items():
            setattr(backend_pgf, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(backend_pgf, name, value)
