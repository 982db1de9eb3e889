"""MkDocs hook: formulas as pictures drawn while the site is built, so that reading needs no script.

Formulas are TeX between dollar signs, of which matplotlib's mathtext knows the usual part. Sphinx'
:func: in docstrings becomes a link.
"""

import base64
import html
import io
import re
from typing import Any

from matplotlib import mathtext, rc_context
from matplotlib.font_manager import FontProperties

SIZE = 100  # points, of which sizes are whole numbers; on the page the picture's size is in em
FORMULA = re.compile(
    r'<(span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?:span|div)>', re.DOTALL
)
ROLE = re.compile(r":func:<code>(?P<target>[\w.]+)</code>")


def on_page_content(content: str, **_: Any) -> str:
    """Replace the formulas and the roles of a page."""

    def link(match: re.Match[str]) -> str:
        target = match["target"]
        name = f"<code>{target.rpartition('.')[2]}</code>"
        if "." not in target:  # a neighbour, on the same page
            anchor = re.search(rf'id="([\w.]+\.{target})"', content)
            return f'<a href="#{anchor[1]}">{name}</a>' if anchor else name
        return f'<autoref identifier="{target}" optional>{name}</autoref>'

    return ROLE.sub(link, FORMULA.sub(_picture, content))


def _picture(match: re.Match[str]) -> str:
    """An image of a formula on the text's base line, with its TeX for those who cannot see it."""
    display = match[1] == "div"
    tex = " ".join(html.unescape(match["tex"]).split())
    drawn = tex.replace(r"\frac", r"\dfrac") if display else tex
    file = io.BytesIO()
    font = FontProperties(size=SIZE, math_fontfamily="stix")
    with rc_context({"savefig.facecolor": "none"}):  # the page's own paper, light or dark
        depth = mathtext.math_to_image(f"${drawn}$", file, prop=font, format="svg")
    drawing = re.sub(r"<metadata>.*?</metadata>", "", file.getvalue().decode(), flags=re.DOTALL)
    size = re.search(r'width="(\d+)pt" height="(\d+)pt"', drawing)
    assert size is not None  # matplotlib writes both
    width, height = int(size[1]) / SIZE, int(size[2]) / SIZE
    style = f"width:{width:.3f}em;height:{height:.3f}em;vertical-align:{-depth / SIZE:.3f}em"
    source = f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
    alt = html.escape(tex, quote=True)
    picture = f'<img class="formula" alt="{alt}" style="{style}" src="{source}">'
    return f'<p class="display">{picture}</p>' if display else picture
