"""What a page must not tell: where its files lay, and on which machine."""

import re
from collections.abc import Iterable
from typing import Any

# An absolute path of either kind of system, or a file's address; group 1: its last part.
_PART = r"[^\s\"'<>|:;,()\[\]{}]"
_PATH = re.compile(
    r"(?:file://|(?<![\w./<-])(?!//))(?:~?/|[A-Za-z]:\\)"
    rf"(?:{_PART}*[/\\])?((?:(?![/\\]){_PART})*)"
)


def without_places(value: Any, hosts: Iterable[str] = ()) -> Any:
    """Shorten absolute paths in a text to their last part, and leave out names of machines.

    Args:
        value: a text; other values, and texts in lists, are handled alike.
        hosts: the machines' names.
    """
    if isinstance(value, list | tuple):
        return [without_places(item, hosts) for item in value]
    if not isinstance(value, str):
        return value
    text = _PATH.sub(lambda match: f"…/{match[1]}" if len(match[0]) > 1 else match[0], value)
    for host in filter(None, hosts):
        text = re.sub(rf"(?<!\w){re.escape(host)}(?!\w)", "…", text)
    return text
