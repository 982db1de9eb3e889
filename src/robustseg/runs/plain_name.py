"""Names in the files of runs, which tables and messages show."""

from typing import Annotated

from pydantic import AfterValidator

from robustseg.terminal.printable import is_plain


def _plain(text: str) -> str:
    """The text, in which nothing is an order to a terminal."""
    if len(text) > 1000 or not is_plain(text):
        raise ValueError("not a name")
    return text


Name = Annotated[str, AfterValidator(_plain)]
