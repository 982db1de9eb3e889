"""Figures as data URIs, which a page can hold."""

import base64
import io
from dataclasses import dataclass

from matplotlib import rc_context
from matplotlib.figure import Figure

_SVG_LIMIT = 1_000_000  # bytes; beyond it a picture is smaller


@dataclass(frozen=True)
class Embedded:
    """A figure on a page: its source, and its size in CSS pixels."""

    source: str
    width: int
    height: int


def embed(figure: Figure, pictures: bool) -> Embedded:
    """Write a figure as SVG, or as WebP if it shows pictures or would be large."""
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    if not pictures:
        data = _saved(figure, format="svg", metadata={"Date": None}, dpi=120)
        if len(data) <= _SVG_LIMIT:
            return Embedded(_uri("svg+xml", data), width, height)
    data = _saved(figure, format="webp", dpi=144, pil_kwargs={"quality": 82})
    return Embedded(_uri("webp", data), width, height)


def _saved(figure: Figure, **how: object) -> bytes:
    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "robustseg"}):  # equal runs, equal page
        figure.savefig(file, **how)  # type: ignore[arg-type]
    return file.getvalue()


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
