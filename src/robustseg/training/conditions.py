"""What a run is computed with: libraries, processor, code; and what differs from an attempt."""

import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from robustseg.configuration import hardware
from robustseg.settings import Settings
from robustseg.training.own_code import own_code

_LIBRARIES = ("robustseg", "torch", "pytorch-lightning", "albumentations", "numpy", "scipy")


def conditions(settings: Settings) -> dict[str, Any]:
    """What the numbers of a run may depend on beside its settings and data.

    Returns:
        `versions` of Python and libraries, `processor`, `commit` of the project (see `_commit`),
        `threads` that compute, None on a GPU, and `code`: hashes of the source of own classes (see
        `own_code`).
    """
    return {
        "versions": _versions(),
        "processor": hardware.processor(settings.trainer.accelerator),
        "commit": _commit(),
        "threads": settings.trainer.threads if settings.trainer.accelerator == "cpu" else None,
        "code": own_code(settings.plain()),
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is not as it was, such as ``torch 2.8.0, now 2.9.0``; what was not noted is passed over.

    Args:
        then: of an attempt, as status.json has it.
        now: as `conditions` gives it.
    """
    found = []
    old, new = then.get("versions") or {}, now["versions"]
    for name in new:
        if name in old and old[name] != new[name]:
            found.append(f"{name} {old[name]}, now {new[name]}")
    for name in ("processor", "commit", "threads"):
        if then.get(name) is not None and now[name] is not None and then[name] != now[name]:
            found.append(f"{name} {_short(name, then[name])}, now {_short(name, now[name])}")
    code = then.get("code") or {}
    for name, digest in now["code"].items():
        if code.get(name) not in (None, digest):
            found.append(f"the source of {name} has changed")
    return found


def _short(name: str, value: Any) -> str:
    if name != "commit":
        return str(value)
    return str(value)[:12] + ("+" if str(value).endswith("+") else "")


@cache
def _versions() -> dict[str, str | None]:
    return {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}}


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:  # run from a source tree that is not installed
        return None


@cache  # a sweep asks for it again and again
def _commit() -> str | None:
    """The git commit of this package, with a + if files differ from it.

    None outside of git, and where the package is installed in a folder of another project.
    """
    file = Path(__file__)
    git = ["git", "-C", str(file.parent)]
    try:
        for asked in (["ls-files", "--error-unmatch", file.name], ["rev-parse", "HEAD"]):
            told = subprocess.run([*git, *asked], capture_output=True, text=True, check=True)
        dirty = subprocess.run([*git, "diff", "--quiet", "HEAD"], capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return told.stdout.strip() + ("+" if dirty.returncode else "")
