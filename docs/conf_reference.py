"""MkDocs hook: a page for every group of settings, made of the YAML files and their comments."""

import textwrap
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

CONF = Path(__file__).parents[1] / "conf"
PLACE = "reference/settings"
HIDDEN = ("hydra/help", "hydra/hydra_logging", "hydra/job_logging")  # how messages look


def groups() -> list[str]:
    """The names of the groups, such as loss and hydra/launcher."""
    folders = {str(file.parent.relative_to(CONF)) for file in CONF.glob("*/**/*.yaml")}
    return sorted(folders - set(HIDDEN))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the pages to the navigation."""
    pages = [{group: page_of(group)} for group in groups()]
    config.nav.append({"Settings": [{"One run": f"{PLACE}/index.md"}, *pages]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to the site."""
    files.append(File.generated(config, f"{PLACE}/index.md", content=overview()))
    for group in groups():
        files.append(File.generated(config, page_of(group), content=page(group)))
    return files


def page_of(group: str) -> str:
    """Where the page of a group lies."""
    return f"{PLACE}/{group.replace('/', '_')}.md"


def overview() -> str:
    """The page of train.yaml, with the choices of every group."""
    rows = [f"| [`{name}=`]({Path(page_of(name)).name}) | {choices(name)} |" for name in groups()]
    table = "\n".join(["| group | choices |", "|---|---|", *rows])
    return f"# Settings\n\n{section(CONF / 'train.yaml')}\n\n## Groups\n\n{table}\n"


def choices(group: str) -> str:
    """The choices of a group in a line."""
    return ", ".join(f"`{file.stem}`" for file in files_of(group))


def page(group: str) -> str:
    """The page of a group: a section for each choice."""
    plus = "+" if group == "experiment" else ""
    parts = [
        f"## `{plus}{group}={file.stem}` {{ #{file.stem} }}\n\n{section(file)}"
        for file in files_of(group)
    ]
    return "\n\n".join([f"# {group}", *parts]) + "\n"


def files_of(group: str) -> list[Path]:
    """The files of a group, by name."""
    return sorted((CONF / group).glob("*.yaml"))


def section(file: Path) -> str:
    """A file: the comment at its top as text, the rest as it is."""
    lines = file.read_text(encoding="utf-8").splitlines()
    end = next(at for at, line in enumerate(lines) if not line.startswith("#"))
    comment = textwrap.dedent("\n".join(line[1:] for line in lines[:end] if "@package" not in line))
    code = "\n".join(lines[end:])
    return f"{as_text(comment)}\n\n```yaml\n{code}\n```"


def as_text(comment: str) -> str:
    """A comment as Markdown: lines that are set in further are commands."""
    lines = []
    for line in comment.splitlines():
        lines.append(f"\n    {line}\n" if line.startswith("  ") else line.replace("<", "&lt;"))
    return "\n".join(lines).strip()
