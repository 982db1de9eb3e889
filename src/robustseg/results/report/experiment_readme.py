"""An experiment's README as part of a page."""

import re
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

_COMMENT = re.compile(r"^<!--.*?-->$", re.MULTILINE | re.DOTALL)
_SHIFT = 1  # headings: the page has an h1 of its own


def readme_html(path: Path) -> str:
    """Render a README plainly: no raw HTML or comments, no pictures, no links to files beside it.

    The pictures are drawn again on the page, and the other files are not where the page will be.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    region = '<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>\n'
    markdown.add_render_rule("table_open", _constant(region))
    markdown.add_render_rule("table_close", _constant("</table></div>\n"))
    tokens = markdown.parse(_COMMENT.sub("", path.read_text(encoding="utf-8")))
    if tokens and tokens[0].tag == "h1":  # says what the page's title says
        tokens = tokens[3:]
    for token in tokens:
        if token.type.startswith("heading"):
            token.tag = f"h{min(6, int(token.tag[1]) + _SHIFT)}"
        if token.type in ("th_open", "td_open"):
            _align_by_class(token)
        if token.children:
            token.children = _plain(token.children)
    filled = [token for token in tokens if token.type != "inline" or token.children]
    return str(markdown.renderer.render(_without_empty(filled), markdown.options, {}))


def readme_title(path: Path) -> str | None:
    """The README's first heading, if it begins with one."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("# ").strip() if first.startswith("# ") else None


def _constant(text: str) -> Any:
    return lambda *_: text


def _align_by_class(cell: Token) -> None:
    """The page's content security policy refuses inline styles."""
    style = str(cell.attrs.pop("style", ""))
    if style:
        cell.attrSet("class", style.removeprefix("text-align:"))


def _plain(children: list[Token]) -> list[Token]:
    """Without pictures, and with links to the web only."""
    kept, dropped = [], False
    for child in children:
        if child.type == "link_open":
            dropped = not str(child.attrGet("href")).startswith(("https://", "http://"))
        if child.type == "image" or (dropped and child.type in ("link_open", "link_close")):
            continue
        kept.append(child)
    return kept if any(child.type != "softbreak" for child in kept) else []


def _without_empty(tokens: list[Token]) -> list[Token]:
    """Without the paragraphs that had only pictures."""
    kept: list[Token] = []
    for token in tokens:
        if token.type == "paragraph_close" and kept and kept[-1].type == "paragraph_open":
            kept.pop()
        else:
            kept.append(token)
    return kept
