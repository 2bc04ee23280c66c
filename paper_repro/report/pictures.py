"""A figure as the page shows it: a picture without its title and foot, which the page has as text."""

import base64
import struct
from dataclasses import dataclass
from io import BytesIO

from matplotlib.figure import Figure

from figures import style, texts
from figures.describe import describe

INCH = 96
"""Pixels of a page in an inch."""
DOTS = 150
"""Dots of a picture in an inch, those of `figures.style.save_png`."""


@dataclass(frozen=True)
class Picture:
    """A picture of the page.

    png: the file. note: how it is drawn, in sentences. alt: what is seen, in sentences.
    """

    png: bytes
    note: str
    alt: str

    @property
    def width(self) -> int:
        """In pixels of the page: letters have the same size in all pictures of this width."""
        (dots,) = struct.unpack(">I", self.png[16:20])  # where every PNG has its width
        return round(dots * INCH / DOTS)

    @property
    def address(self) -> str:
        """The picture as an address that needs no file."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


def picture_of(figure: Figure) -> Picture:
    """The picture of a figure that has been drawn and saved; its title and foot are taken off."""
    alt = describe(figure)
    note = texts.take_texts(figure)
    file = BytesIO()
    style.save_png(figure, file)
    return Picture(file.getvalue(), note, alt)
