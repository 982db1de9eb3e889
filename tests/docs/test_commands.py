"""Every command that the README and the pages show is one that the program takes."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hydra import initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from robustseg.cli.main import main
from robustseg.configuration import hardware
from robustseg.configuration.buildable import check_targets
from robustseg.configuration.compose import composed
from robustseg.errors import ConfigError

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("experiments/**/README.md")),
    ROOT / "benchmarks" / "README.md",
]
START = re.compile(r"(?:\.venv/bin/)?(?:python train\.py|robustseg|make)(?= |$)")
FENCE = re.compile(r"^( *)```[^\n]*\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


class Command(NamedTuple):
    """A command as it stands on a page."""

    page: str
    text: str
    inline: bool  # within a sentence, where it may be a name only: `robustseg data download`


def commands(page: str, text: str) -> Iterator[Command]:
    """The commands of a page: lines of code blocks, fenced or indented, and code in sentences."""
    blocks = [body for _, body in FENCE.findall(text)]
    rest = FENCE.sub("", text)
    blocks += re.findall(r"^ {4,}(\S.*)$", rest, re.MULTILINE)
    for line in "\n".join(blocks).replace("\\\n", " ").split("\n"):
        yield from (Command(page, part, False) for part in parts(line))
    for code in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", rest):
        yield from (Command(page, part, True) for part in parts(code))


def parts(line: str) -> Iterator[str]:
    """The commands of a line, without what the shell takes: prompt, pipes, variables, comments."""
    line = re.sub(r'"?\$\(([^()]*)\)"?', r"; \1 ;", line.removeprefix("$ "))
    lexer = shlex.shlex(line, posix=False, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) - set("|&;<>()"):
            words.append(word)
            continue
        command = re.sub(r"^(?:[A-Z_]+=\S* )*", "", " ".join(words))
        if START.match(command):
            yield command
        words = []


COMMANDS = [
    command
    for page in PAGES
    for command in commands(str(page.relative_to(ROOT)), page.read_text(encoding="utf-8"))
]
# The same text is taken once, unless it needs the files of its page.
DIFFERENT = {(c.text, c.inline, c.page * ("my_" in c.text)): c for c in COMMANDS}.values()


class Refused(Exception):
    """The program would not take a command."""


@pytest.fixture
def take(tmp_path, monkeypatch):
    """A function that takes a command as the program does, up to where it would do something."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def check(command: Command) -> None:
        program, *words = shlex.split(command.text.removeprefix(".venv/bin/"))
        if "dataset.device=cuda" in words:  # as a machine with a GPU takes it
            monkeypatch.setattr(hardware, "cuda_capability", lambda: 9)
        try:
            if program == "make":
                take_make(words)
            elif program == "python" or words[:1] == ["train"]:
                if "+experiment=first" in words:  # of the project that `robustseg init` writes
                    main(["init", "lesions"])
                    monkeypatch.chdir(tmp_path / "lesions")
                if "+experiment=own_data" in words:  # which sweeps the folds
                    words.append("dataset.fold=0")
                take_train(words[1:])
            else:
                take_robustseg(words, command.inline, monkeypatch)
        except (ConfigError, SystemExit) as error:
            raise Refused(f"{command.page}: {command.text}: {error}") from error

    return check


def take_make(words: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for word in words:
        if "=" not in word and word not in targets:
            raise Refused(f"there is no target {word}")


def take_train(words: list[str]) -> None:
    arguments = get_args_parser().parse_args(with_stand_ins(words))
    overrides = arguments.overrides
    if arguments.shell_completion:
        if not re.fullmatch(r"(un)?install=(bash|fish)", " ".join(overrides)):
            raise Refused(f"Hydra completes for bash and fish, not {overrides}")
        return
    if arguments.config_dir:
        folder = ROOT / arguments.config_dir  # of the checkout, unless the test made one
        folder = folder if folder.is_dir() else Path(arguments.config_dir).resolve()
        overrides = [f"hydra.searchpath=[{folder}]", *overrides]
    if arguments.multirun or any(word.startswith("+experiment=") for word in overrides):
        for cell in cells(overrides):
            check_targets(composed(cell))
    else:
        check_targets(composed(overrides))


def with_stand_ins(words: list[str]) -> list[str]:
    """What a reader would fill in: dataset.root=… a folder; a lone … is left out."""
    return [word.replace("…", "somewhere") for word in words if word != "…"]


def cells(overrides: list[str]) -> list[list[str]]:
    """The first cell of a grid, and those that differ from it in one value."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        grid = [
            [f"{one.get_key_element()}={value}" for value in one.sweep_string_iterator()]
            if one.is_sweep_override()
            else [word]
            for word, one in zip(overrides, parser.parse_overrides(overrides), strict=True)
        ]
    first = [values[0] for values in grid]
    others = [
        [*first[:at], value, *first[at + 1 :]]
        for at, values in enumerate(grid)
        for value in values[1:]
    ]
    return [first, *others]


def take_robustseg(words: list[str], inline: bool, monkeypatch) -> None:
    taken: list[argparse.Namespace] = []
    parse = argparse.ArgumentParser.parse_known_args

    def parse_only(parser, *arguments):
        options, rest = parse(parser, *arguments)
        options.main = lambda options: taken.append(options) or 0
        return options, rest

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_known_args", parse_only)
        a_name = inline and not any(word.startswith("-") or "=" in word for word in words)
        try:
            main(words)
        except SystemExit as stop:
            if a_name and stop.code == 2:  # `robustseg data download` in a sentence
                names(words)
            elif stop.code != 0:  # 0: --help
                raise
    for options in taken:
        if hasattr(options, "overrides"):
            check_targets(composed(with_stand_ins(options.overrides)))


def names(words: list[str]) -> None:
    """Refuse words that are not a command; a command has help."""
    try:
        main([*words, "--help"])
    except SystemExit as stop:
        if stop.code != 0:
            raise


@pytest.mark.parametrize("command", DIFFERENT, ids=lambda c: f"{c.page}: {c.text[:60]}")
def test_a_shown_command_is_taken(command, take, tmp_path):
    write_files(tmp_path, (ROOT / command.page).read_text(encoding="utf-8"))
    take(command)


def write_files(folder: Path, page: str) -> None:
    """Write the files that a page shows: code blocks that begin with a path in a comment."""
    for _, body in FENCE.findall(page):
        path = re.match(r"# (my_[\w/]+\.(?:py|yaml))\n", body)
        if path:
            file = folder / path[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(body, encoding="utf-8")


def test_pages_are_searched_as_they_are_written():
    page = """
Say `make demo` or, in a sentence, `robustseg data download`, not `~/.cache/robustseg`.

```
$ python train.py -m loss=tloss,gce \\
    seed=0,1        # a comment
cd x && CUDA_VISIBLE_DEVICES=0 python train.py 'seed=range(3)' > log
eval "$(python train.py -sc install=bash)"
```

    .venv/bin/robustseg table | head
"""
    assert [text for _, text, _ in commands("page", page)] == [
        "python train.py -m loss=tloss,gce seed=0,1",
        "python train.py 'seed=range(3)'",
        "python train.py -sc install=bash",
        ".venv/bin/robustseg table",
        "make demo",
        "robustseg data download",
    ]
    assert {command.page for command in COMMANDS} >= {"README.md", "docs/tutorial.md"}


@pytest.mark.parametrize(
    "text",
    [
        "python train.py loss=tlos",
        "python train.py noise.alhpa=0.5",
        "python train.py noise.alpha=1.5",
        "python train.py loss=tloss,gce",
        "python train.py -m loss=tloss,gcee",
        "python train.py --mutlirun loss=tloss",
        "python train.py +experiment=tloss_isic",
        "python train.py +loss.gama=1",
        "python train.py -sc instal=bash",
        "python train.py -m hydra/launcher=lokal",
        "robustseg train loss=tlos",
        "robustseg train -m +experiment=frist",
        "robustseg tabel",
        "robustseg data fetch",
        "robustseg table --metrics dice_image",
        "robustseg data check dataset=foldr",
        "robustseg noise preview nois.alpha=1",
        "make tset",
    ],
)
@pytest.mark.parametrize("inline", [True, False])
def test_a_typo_is_refused(text, inline, take):
    with pytest.raises(Refused):
        take(Command("page", text, inline))
