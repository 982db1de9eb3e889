"""The rooms of src/robustseg, and which may import which: docs/architecture.md draws this."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "robustseg"
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "architecture.svg"

# What each room imports, and so may import. An arrow that is no longer used is deleted here.
ROOMS = {
    "cli": (
        "configuration dashboards data finished metrics noise records results runs sweeps terminal "
        "training"
    ),
    "training": "configuration dashboards data losses metrics models noise runs sweeps terminal",
    "finished": "configuration data losses metrics models records results runs terminal",
    "dashboards": "metrics results runs",
    "sweeps": "configuration records runs terminal",
    "results": "metrics records runs terminal",
    "configuration": "data runs terminal",
    "records": "metrics runs terminal",
    "data": "noise terminal",
    "runs": "terminal",
    "noise": "",
    "losses": "",
    "metrics": "",
    "models": "",
    "terminal": "",
}
ARROWS = {(room, other) for room, others in ROOMS.items() for other in others.split()}
FILES = {"__init__.py", "__main__.py", "settings.py", "setting_groups.py", "errors.py", "py.typed"}


class Import(NamedTuple):
    """An import of a module of the package."""

    file: str  # below src/robustseg, or the repository where it is outside of it
    room: str  # of the file
    module: str


def modules() -> dict[str, Path]:
    """Every module and package of src/robustseg by its dotted name."""
    files = {}
    for file in SOURCE.rglob("*.py"):
        parts = file.relative_to(SOURCE.parent).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return files


MODULES = modules()


def imports_of(file: Path) -> Iterator[Import]:
    """The imports of a file, also those inside functions, under TYPE_CHECKING, and lazy ones."""
    inside = file.is_relative_to(SOURCE)
    name = file.relative_to(SOURCE if inside else ROOT)
    room = name.parts[0] if inside and len(name.parts) > 1 else ""
    package = ".".join(file.relative_to(SOURCE.parent).parts[:-1]) if inside else ""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        for module in modules_of(node, package):
            if module.split(".")[0] == "robustseg":
                yield Import(str(name), room, module)


def modules_of(node: ast.AST, package: str) -> Iterator[str]:
    """The modules that a statement, or a call of lazy_loader, names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports hide the room"
        for alias in node.names:  # `from package import module` imports the module
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in MODULES else str(node.module)
    elif isinstance(node, ast.keyword) and node.arg == "submod_attrs":
        yield from (f"{package}.{name}" for name in ast.literal_eval(node.value))


FOLDERS = ("src", "tests", "benchmarks", "experiments")
IMPORTS = [
    one
    for file in [
        ROOT / "train.py",
        *(f for folder in FOLDERS for f in (ROOT / folder).rglob("*.py")),
    ]
    for one in imports_of(file)
]


def found() -> dict[tuple[str, str], set[tuple[str, str]]]:
    """The arrows of the code, each with the imports it stands for, as (file, module)."""
    arrows: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for one in IMPORTS:
        other = one.module.split(".")[1] if "." in one.module else ""
        if one.room and other in ROOMS and other != one.room:
            arrows.setdefault((one.room, other), set()).add((one.file, one.module))
    return arrows


def test_the_package_holds_only_rooms():
    entries = {entry.name for entry in SOURCE.iterdir()} - {"__pycache__"}
    assert entries - FILES == set(ROOMS)


def test_rooms_import_what_the_table_allows():
    arrows = found()
    surplus = {arrow: files for arrow, files in arrows.items() if arrow not in ARROWS}
    assert surplus == {}
    assert ARROWS - set(arrows) == set(), "no longer used: delete them from ROOMS"


def test_files_beside_the_rooms_import_none():
    """Every room may import settings and errors; `python -m robustseg` is the command."""
    upwards = {
        (one.file, one.module.split(".")[1])
        for one in IMPORTS
        if one.file in FILES and one.module.count(".") and one.module.split(".")[1] in ROOMS
    }
    assert upwards <= {("__main__.py", "cli")}


def test_there_are_no_circles():
    order = list(
        TopologicalSorter({room: set(ROOMS[room].split()) for room in ROOMS}).static_order()
    )
    assert set(order) == set(ROOMS)  # static_order raises CycleError at a circle


# Names of files that stand in several rooms. A command has the name of what it calls; the others
# mean the same thing in each room. Nothing is added: another name tells more.
TWICE = {
    *("__init__", "evaluate", "export", "predict", "status", "suspects", "train", "verify"),
    *("files", "folder", "load", "module", "progress", "selection", "source"),
}


def test_file_names_stand_once():
    counts = Counter(file.stem for file in SOURCE.rglob("*.py"))
    assert {name for name, count in counts.items() if count > 1} == TWICE


def test_every_imported_module_exists():
    missing = {one.module for one in IMPORTS if one.module not in MODULES}
    assert missing == set()


def test_results_import_neither_torch_nor_hydra():
    """Every module of results in one process; the first that fails names the culprit."""
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    print(name, *sorted({'torch', 'hydra', 'pytorch_lightning'} & set(sys.modules)))\n"
    )
    names = sorted(name for name in MODULES if name.startswith("robustseg.results"))
    assert "robustseg.results.tables.make_table" in names
    ran = subprocess.run(
        [sys.executable, "-c", code, *names],
        env=os.environ | {"PYTHONPATH": str(SOURCE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == names


def test_the_page_has_the_table():
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|$", PAGE.read_text(encoding="utf-8"), re.M)
    table = {room: " ".join(re.findall(r"`(\w+)`", others)) for room, others in rows}
    assert table == ROOMS


def test_the_picture_has_the_arrows():
    """It leaves out an arrow that a path of others implies; each room is a box."""
    picture = PICTURE.read_text(encoding="utf-8")
    drawn = re.findall(r"<title>(\w+) imports (\w+)</title>", picture)
    below = reachable(set(drawn))
    assert set(drawn) <= ARROWS
    assert ARROWS <= below
    for arrow in drawn:
        assert arrow not in reachable(set(drawn) - {arrow}), f"implied by others: {arrow}"
    assert set(re.findall(r">(\w+)</text><text class=\"sub\"", picture)) == set(ROOMS)


def reachable(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The arrows and all that paths of them imply."""
    closed = set(arrows)
    while more := {(a, d) for a, b in closed for c, d in closed if b == c} - closed:
        closed |= more
    return closed
