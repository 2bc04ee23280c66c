"""What every figure has to keep at the width of a paper's column; for the tests of all figures."""

from matplotlib.text import Text

from figures import paper


def check_single_width(draw):
    """Draw a figure with ``draw`` for one column, and find every text on the page and of a size that can be read."""
    with paper.page():
        figure = draw()
        paper.fit(figure, paper.WIDTHS["single"])
        figure.draw_without_rendering()
        width, height = figure.get_size_inches()
        assert width == paper.WIDTHS["single"]
        assert height <= paper.HIGHEST

        # Inches of all that is drawn, texts included
        box = figure.get_tightbbox()
        room = 0.03
        assert min(box.x0, box.y0) > -room, box
        assert box.x1 < width + room, box
        assert box.y1 < height + room, box
        assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 5.5
        assert min(ax.get_window_extent().width for ax in figure.axes if ax.get_subplotspec()) > 0.8 * figure.dpi
