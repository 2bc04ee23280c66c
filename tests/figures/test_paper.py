"""Figures at the width of a column: what is stacked, labelled, moved and broken, and what the files hold."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends import backend_pgf
from matplotlib.figure import Figure

from figures import latex, lines_and_maps, paper, style, texts

SINGLE, DOUBLE = paper.WIDTHS["single"], paper.WIDTHS["double"]


def row_of(panels, *, sharey=True, width=3.0):
    """A figure of panels side by side, the first one labelled."""
    figure = Figure(figsize=(width * panels, 3.0), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, panels, sharey=sharey))
    for place, ax in enumerate(axes):
        ax.plot([0, 1], [0, 10.0**place], label="a line")
        ax.set(xlabel="updates", title=f"panel {place}")
    axes[0].set_ylabel("success")
    return figure


def places(figure):
    return [
        (ax.get_subplotspec().rowspan.start, ax.get_subplotspec().colspan.start)
        for ax in figure.axes
        if ax.get_subplotspec()
    ]


def labelled(ax):
    """Whether the tick labels of the y axis are shown."""
    return ax.yaxis.get_tick_params()["labelleft"]


def fitted(figure, width):
    with paper.page():
        notes = paper.fit(figure, width)
    return figure, notes


@pytest.mark.parametrize("sharey", [True, False])
def test_panels_stack_in_one_column_and_each_gets_the_label_of_its_row(sharey):
    figure, _ = fitted(row_of(3, sharey=sharey), SINGLE)
    assert places(figure) == [(0, 0), (1, 0), (2, 0)]
    assert [ax.get_ylabel() for ax in figure.axes] == ["success"] * 3
    assert all(labelled(ax) for ax in figure.axes)
    assert figure.get_figwidth() == SINGLE


def test_in_both_columns_of_a_paper_they_stay_side_by_side():
    figure, _ = fitted(row_of(3), DOUBLE)
    assert places(figure) == [(0, 0), (0, 1), (0, 2)]
    assert [ax.get_ylabel() for ax in figure.axes] == ["success", "", ""]
    assert [labelled(ax) for ax in figure.axes] == [True, False, False]


def test_small_panels_become_a_grid_whose_edges_are_labelled():
    figure, _ = fitted(row_of(4, width=2.0), SINGLE)
    assert places(figure) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [ax.get_ylabel() for ax in figure.axes] == ["success", "", "success", ""]
    assert [labelled(ax) for ax in figure.axes] == [True, False, True, False]


def test_an_axis_of_another_kind_does_not_take_its_neighbours_label():
    figure = row_of(2, sharey=False)
    figure.axes[1].set_yticks([0, 1], ["GRPO", "SPO"])
    fitted(figure, SINGLE)
    assert [ax.get_ylabel() for ax in figure.axes] == ["success", ""]


def test_a_pair_of_panels_stays_one_above_the_other():
    with style.look():
        figure, pairs = style.blocks(3, heights=(2.0, 1.0))
    for top, bottom in pairs:
        top.plot([0, 1], [0, 1])
        bottom.plot([0, 1], [0, 1])
    fitted(figure, SINGLE)
    rows = dict(zip(figure.axes, places(figure), strict=True))
    for top, bottom in pairs:
        assert rows[bottom] == (rows[top][0] + 1, rows[top][1])
        assert bottom.get_position().height < 0.7 * top.get_position().height
        assert not top.xaxis.get_tick_params()["labelbottom"]
        assert bottom.get_xlabel() == "updates"


def test_panels_that_are_switched_off_take_no_place():
    figure = row_of(4)
    figure.axes[3].set_axis_off()
    fitted(figure, SINGLE)
    assert len(figure.axes) == 3


def test_title_and_notes_leave_the_picture_and_the_notes_come_back_in_one_line():
    figure = row_of(2)
    figure.suptitle("What half success costs")
    texts.foot(figure, "Exact, and of so many words that they take more than one line.\n3 seeds.")
    _, notes = fitted(figure, SINGLE)
    assert notes == "Exact, and of so many words that they take more than one line. 3 seeds."
    assert figure.get_suptitle() == figure.get_supxlabel() == ""


def test_the_legend_beside_the_panels_moves_above_them_and_keeps_its_entries():
    table = pd.DataFrame({"panel": "", "kind": "line", "x": [0, 1] * 5, "y": 1.0})
    table["series"] = np.repeat([f"a rule with a long name {i}" for i in range(5)], 2)
    with paper.page():
        figure = lines_and_maps.draw(table, xlabel="updates")
    fitted(figure, SINGLE)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(table["series"].unique())
    assert legend.get_window_extent().width < SINGLE * figure.dpi
    assert legend.get_window_extent().y0 > figure.axes[0].get_window_extent().y1


def test_a_legend_on_a_line_is_lifted_and_one_beside_lines_stays():
    for y, lifted in ((0.95, True), (0.1, False)):
        figure = row_of(1, width=5.0)
        (ax,) = figure.axes
        ax.plot(np.linspace(0, 1, 50), np.full(50, y), label="another")
        ax.set_ylim(0, 1)
        ax.lines[0].remove()
        ax.legend(loc="upper right")
        fitted(figure, SINGLE)
        above = ax.get_legend().get_window_extent().y0 > ax.get_window_extent().y1
        assert bool(above) is lifted


def test_long_titles_are_broken_and_touching_names_turned():
    figure = row_of(1, width=9.0)
    (ax,) = figure.axes
    ax.set_title("(a) a title of more words than a column of a paper has place for in one line")
    ax.set_xticks([0, 0.1, 0.2], ["exact gradients", "frozen kernel", "with noise"])
    fitted(figure, SINGLE)
    assert "\n" in ax.get_title()
    assert {label.get_rotation() for label in ax.get_xticklabels()} == {90.0}


def test_a_style_sheet_lies_on_top_of_ours_and_only_while_it_should():
    @style.styled
    def draw():
        return row_of(1)

    before = dict(matplotlib.rcParams)
    with paper.page({"font.family": ["serif"], "savefig.bbox": "tight"}):
        (ax,) = draw().axes
        assert matplotlib.rcParams["savefig.bbox"] is None
    assert ax.xaxis.label.get_fontfamily() == ["serif"]
    assert ax.xaxis.label.get_fontsize() == 8.0
    assert draw().axes[0].xaxis.label.get_fontsize() == 9.0
    assert dict(matplotlib.rcParams) == before


def files(ending):
    with paper.page():
        figure = row_of(1)
        figure.axes[0].set_xlabel("β of spo_prefix, 50 %")
        figure.axes[0].set_yscale("log")
        paper.fit(figure, SINGLE)
        return paper.written(figure, "picture", ending)


@pytest.mark.parametrize("ending", paper.FORMATS)
def test_the_same_figure_gives_the_same_bytes(ending):
    one = files(ending)
    assert list(one) == [f"picture.{ending}"]
    assert one == files(ending)


def test_pdf_embeds_truetype_and_svg_has_letters_as_paths():
    pdf = files("pdf")["picture.pdf"]
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"<text" not in files("svg")["picture.svg"]


def test_pgf_needs_no_latex_and_is_what_any_latex_takes(monkeypatch):
    def refuse(self):
        raise AssertionError("LaTeX was asked")

    monkeypatch.setattr(backend_pgf.LatexManager, "__init__", refuse)
    text = files("pgf")["picture.pgf"].decode("ascii")
    assert r"\ensuremath{\beta} of spo\_prefix" in text
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%%"))
    assert r"\mathdefault" not in body
    assert f"{{{SINGLE:f}in}}" in body
    assert backend_pgf.RendererPgf is not latex._Renderer


def test_the_images_in_a_pgf_are_files_beside_it():
    with paper.page():
        figure = row_of(1)
        figure.axes[0].imshow(np.eye(3))
        paper.fit(figure, SINGLE)
        written = paper.written(figure, "map", "pgf")
    assert list(written) == ["map-img0.png", "map.pgf"]
    assert written["map-img0.png"].startswith(b"\x89PNG")
    assert b"{map-img0.png}" in written["map.pgf"]
