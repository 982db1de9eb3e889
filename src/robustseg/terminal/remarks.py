"""What a command says beside its output."""

import sys
from collections.abc import Iterable

from robustseg.terminal.printable import printable


def tell(remarks: Iterable[str]) -> None:
    """Print remarks on the error channel."""
    for remark in remarks:
        print(printable(remark), file=sys.stderr)
