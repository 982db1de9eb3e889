"""The values of a filter such as KEY=VALUE,VALUE."""

import re
from typing import Any

from robustseg.terminal.number_text import number_text


def alternatives(text: str) -> list[str]:
    """The values that a filter allows; commas within brackets separate none.

    Example:
        >>> alternatives("0.3,0.5"), alternatives("[over,under],missed")
        (['0.3', '0.5'], ['[over,under]', 'missed'])
    """
    return re.split(r",(?![^\[\]]*\])", text)


def spelled(value: Any) -> Any:
    """A list as a text, of one value that value; anything else as it is.

    Example:
        >>> spelled(["over", "under"]), spelled(["over"]), spelled("[over]"), spelled(0.3)
        ('[over,under]', 'over', 'over', 0.3)
    """
    if isinstance(value, str) and re.fullmatch(r"\[[^,]*\]", value):
        return value[1:-1]
    if not isinstance(value, list):
        return value
    parts = ",".join(number_text(one) if isinstance(one, float) else str(one) for one in value)
    return parts if len(value) == 1 else f"[{parts}]"
