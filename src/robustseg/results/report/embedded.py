"""Figures as data URIs, which a page can hold."""

import base64
import io
from dataclasses import dataclass

from matplotlib import rc_context
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.text import Text

_INK = "#e6e9ed"  # of letters in the dark
_SVG_LIMIT = 1_000_000  # bytes; beyond it a picture is smaller


@dataclass(frozen=True)
class Embedded:
    """A figure on a page.

    Attributes:
        source: as a data URI, without a background.
        dark: the same with light letters; None of drawings, whose colours the page inverts.
        width: in CSS pixels.
        height: in CSS pixels.
    """

    source: str
    dark: str | None
    width: int
    height: int


def embed(figure: Figure, pictures: bool) -> Embedded:
    """Write a figure as SVG, or as WebP if it shows pictures or would be large."""
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    if not pictures:
        data = _saved(figure, format="svg", metadata={"Date": None}, dpi=120)
        if len(data) <= _SVG_LIMIT:
            return Embedded(_uri("svg+xml", data), None, width, height)
    light = _webp(figure)
    if not pictures:
        return Embedded(light, None, width, height)
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if same_color(text.get_color(), "black"):
            text.set_color(_INK)
    return Embedded(light, _webp(figure), width, height)


def _webp(figure: Figure) -> str:
    return _uri("webp", _saved(figure, format="webp", dpi=144, pil_kwargs={"quality": 82}))


def _saved(figure: Figure, **how: object) -> bytes:
    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "robustseg"}):  # equal runs, equal page
        figure.savefig(file, transparent=True, **how)
    return file.getvalue()


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
