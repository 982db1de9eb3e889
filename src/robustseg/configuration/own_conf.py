"""Where the groups of a configuration are: the package's own, and the user's."""

import filecmp
import os
import sys
from pathlib import Path

import robustseg
from robustseg.errors import ConfigError

ENVIRONMENT = "ROBUSTSEG_CONFIG_DIR"


def conf_folder() -> Path:
    """The package's own folder of configuration groups: the checkout's, or the installed one.

    Raises:
        ConfigError: there is none; the installation is damaged.
    """
    package = Path(robustseg.__file__).parent
    for folder in (package.parents[1] / "conf", package / "conf"):
        if (folder / "train.yaml").exists():
            return folder
    raise ConfigError(f"{package / 'conf'} does not exist: install robustseg again")


def own_folders() -> list[Path]:
    """The user's folders of further choices, the first one wins.

    They are those of the environment variable ROBUSTSEG_CONFIG_DIR, separated as in PATH, which
    ``--config-dir`` sets, then ``conf`` in the working directory.

    Raises:
        ConfigError: one is not a directory, or holds another file under the name of one of the
            package's, which would win without a word.
    """
    shipped = conf_folder()
    named = [Path(name) for name in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if name]
    for folder in named:
        if not folder.is_dir():
            raise ConfigError(f"{folder}, of --config-dir or {ENVIRONMENT}, is not a directory")
    here = [Path("conf")] if Path("conf").is_dir() else []
    folders = [folder.resolve() for folder in (*named, *here)]
    folders = [folder for folder in dict.fromkeys(folders) if folder != shipped.resolve()]
    for folder in folders:
        _check_names(folder, shipped)
    return folders


def add_own_folder(folder: str) -> None:
    """Let a folder come first among the user's own, here and in processes started from here."""
    others = os.environ.get(ENVIRONMENT)
    first = str(Path(folder).absolute())
    os.environ[ENVIRONMENT] = os.pathsep.join([first, others]) if others else first


def import_from_here() -> None:
    """Let the user's classes in the working directory be found, after all installed ones."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if here not in paths:  # for the processes of a sweep
        os.environ["PYTHONPATH"] = os.pathsep.join([*paths, here])


def _check_names(folder: Path, shipped: Path) -> None:
    for file in sorted(folder.rglob("*.yaml")):
        name = file.relative_to(folder)
        same = shipped / name
        if same.exists() and not filecmp.cmp(file, same, shallow=False):
            raise ConfigError(
                f"{file} has the name of one of robustseg's own choices, which would be used "
                "instead: rename it"
            )
