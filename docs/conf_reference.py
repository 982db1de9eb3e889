"""MkDocs hook: a page for every group of settings, to which links to conf/ lead.

What the choices of a group share comes from `robustseg.settings`; what belongs to one choice by its
YAML file and the comments in it.
"""

import posixpath
import re
import textwrap
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from robustseg.setting_groups import Group, Setting, group_of, must_be, rules
from robustseg.settings import Settings

CONF = Path(__file__).parents[1] / "conf"
PLACE = "reference/settings"
HIDDEN = ("hydra/help", "hydra/hydra_logging", "hydra/job_logging")  # how messages look
# Where the repository has what the pages are made of: settings.py, a group, or a choice of it.
LINK = re.compile(
    r"\]\((?:\.\./)+(?:src/robustseg/settings\.py"
    r"|conf/(?P<group>[a-z_/]+?)(?:/(?P<choice>\w+)\.yaml)?)\)"
)


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


def on_page_markdown(markdown: str, page: Page, **kwargs: object) -> str:
    """Turn links that hold in the repository into those of the site."""
    here = posixpath.dirname(page.file.src_uri)

    def link(match: re.Match[str]) -> str:
        target = page_of(match["group"]) if match["group"] else f"{PLACE}/index.md"
        anchor = f"#{match['choice']}" if match["choice"] else ""
        return f"]({posixpath.relpath(target, here)}{anchor})"

    return LINK.sub(link, markdown)


def page_of(group: str) -> str:
    """Where the page of a group lies."""
    return f"{PLACE}/{group.replace('/', '_')}.md"


def overview() -> str:
    """The page of train.yaml, with the choices of every group."""
    rows = [f"| [`{name}=`]({Path(page_of(name)).name}) | {choices(name)} |" for name in groups()]
    table = "\n".join(["| group | choices |", "|---|---|", *rows])
    own = "\n\n".join(described(name) for name in ("", "evaluation", "paths"))
    return f"# Settings\n\n{section(CONF / 'train.yaml')}\n\n{own}\n\n## Groups\n\n{table}\n"


def described(group: str) -> str:
    """A table of the settings that all choices of a group have; of those outside of any for ""."""
    kind = group_of(Settings, group) if group else Settings
    if kind is None:
        return ""
    rows = [
        f"| `{group}.{name}` |".replace("`.", "`") + f" {values(kind, name)} | {meaning(rule)} |"
        for name, rule in rules(kind).items()
        if group_of(kind, name) is None and name != "_target_"
    ]
    return "\n".join(["| setting | value | meaning |", "|---|---|---|", *rows])


def values(kind: type[Group], name: str) -> str:
    """What a setting may be."""
    rule = rules(kind)[name]
    wanted = must_be(kind.model_fields[name])
    unit = f" ({rule.unit})" if rule.unit and rule.unit not in f"{name} {wanted}" else ""
    auto = f"; auto: {rule.auto}" if rule.auto else ""
    return f"{wanted}{unit}{auto}"


def meaning(rule: Setting) -> str:
    """What a setting means, and whether the run's id depends on it."""
    free = "" if rule.identity else ". *Not in the run's id*"
    return f"{rule.text}{free}".replace("|", "\\|")


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
    return "\n\n".join([f"# {group}", described(group), *parts]) + "\n"


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
