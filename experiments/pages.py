"""Rewrite the tables of the experiments' pages, and of the finding's, from the records.

A page marks a table with the call that prints it:

    <!-- robustseg table tloss_area_tiles --metric dice_image area_ratio -->

    (what the call prints)

    <!-- end -->

The call reads the records of the experiments that it names, or of its --runs, and nothing else.

    python experiments/pages.py            # write what has changed
    python experiments/pages.py --check    # only say what has
"""

import argparse
import io
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from pathlib import Path

from robustseg.cli.main import main as robustseg

FOLDER = Path(__file__).parent
TABLE = re.compile(
    r"^(?P<begin><!-- robustseg (?P<call>[^\n]+) -->\n\n)(?P<text>.*?)(?P<end>\n<!-- end -->)$",
    re.MULTILINE | re.DOTALL,
)


def pages() -> list[Path]:
    """The pages of the experiments, the one that lists them, and that of what was found."""
    own = [FOLDER / "README.md", *sorted(FOLDER.glob("*/README.md"))]
    return [FOLDER.parent / "README.md", *own, FOLDER.parent / "docs" / "tloss_area.md"]


def calls(page: Path) -> Iterator[tuple[str, str]]:
    """Each call that a page has the output of, and that output.

    Raises:
        SystemExit: a mark is not in pairs, so that a table would pass unseen.
    """
    text = page.read_text(encoding="utf-8")
    found = [(one["call"], one["text"]) for one in TABLE.finditer(text)]
    if not len(found) == text.count("<!-- robustseg ") == text.count("<!-- end -->"):
        raise SystemExit(
            f"{page}: each <!-- robustseg … --> needs an empty line below it, and <!-- end -->"
        )
    yield from found


def printed(call: str) -> str:
    """What a call prints, from the records of the experiments that it names.

    Raises:
        SystemExit: it fails, or names neither a source nor an experiment that has a record.
    """
    words = shlex.split(call)
    if not {"--runs", "--from"} & set(words):
        named = [FOLDER / word / "record" for word in words[1:]]
        records = [str(record) for record in named if record.is_dir()]
        if not records:
            raise SystemExit(f"robustseg {call}: names no experiment that has a record")
        words += ["--runs", *records]
    output = io.StringIO()
    with chdir(FOLDER.parent), redirect_stdout(output):
        code = robustseg(words)
    if code:
        raise SystemExit(f"robustseg {call}: exit code {code}")
    return output.getvalue()


def renewed(page: Path) -> str:
    """The text of a page with the tables that its calls print now."""
    outputs = {call: printed(call) for call, _ in calls(page)}
    text = page.read_text(encoding="utf-8")
    return TABLE.sub(lambda one: one["begin"] + outputs[one["call"]] + one["end"], text)


def main() -> int:
    """Write the pages, or check them; return 1 if one to check has changed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1")
    options = parser.parse_args()
    changed = 0
    for page in pages():
        text = renewed(page)
        if text != page.read_text(encoding="utf-8"):
            changed += 1
            print(f"{page}: {'not what the records say' if options.check else 'written'}")
            if not options.check:
                page.write_text(text, encoding="utf-8")
    return int(options.check and changed > 0)


if __name__ == "__main__":
    sys.exit(main())
