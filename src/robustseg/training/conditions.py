"""What a run is computed with: libraries, processor, code; and what differs from an attempt."""

import hashlib
import importlib.util
import platform
import site
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from robustseg.configuration import hardware
from robustseg.settings import Settings

_LIBRARIES = ("robustseg", "torch", "pytorch-lightning", "albumentations", "numpy", "scipy")


def conditions(settings: Settings) -> dict[str, Any]:
    """What the numbers of a run may depend on beside its settings and data.

    Returns:
        `versions` of Python and libraries, `processor`, `commit` of the project (see `_commit`),
        and `code`: of each class of the configuration that is not of an installed distribution
        the SHA-256 of its source file, hex.
    """
    return {
        "versions": _versions(),
        "processor": hardware.processor(settings.trainer.accelerator),
        "commit": _commit(),
        "code": own_code(settings.plain()),
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any], *, commit: bool) -> list[str]:
    """What is not as it was, such as ``torch 2.8.0, now 2.9.0``; what was not noted is passed over.

    Args:
        then: of an attempt, as status.json has it.
        now: as `conditions` gives it.
        commit: whether the project's commit counts: it changes also with what no number depends on.
    """
    found = []
    old, new = then.get("versions") or {}, now["versions"]
    for name in new:
        if name in old and old[name] != new[name]:
            found.append(f"{name} {old[name]}, now {new[name]}")
    for name in ("processor", *(["commit"] if commit else [])):
        if then.get(name) is not None and now[name] is not None and then[name] != now[name]:
            found.append(f"{name} {_short(name, then[name])}, now {_short(name, now[name])}")
    code = then.get("code") or {}
    for name, digest in now["code"].items():
        if code.get(name) not in (None, digest):
            found.append(f"the source of {name} has changed")
    return found


def own_code(config: Any) -> dict[str, str]:
    """The hash of the source file of each `_target_` that is not of an installed distribution.

    Nothing is imported for that: a finished run is skipped without its libraries.

    Examples:
        >>> own_code({"loss": {"_target_": "torch.nn.BCEWithLogitsLoss"}})
        {}
    """
    code = {}
    for target in sorted(set(_targets(config))):
        file = _own_file(target)
        if file is not None:
            code[target] = hashlib.sha256(file.read_bytes()).hexdigest()
    return code


def _short(name: str, value: Any) -> str:
    return str(value)[:12] if name == "commit" else str(value)


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("_target_"), str):
            yield node["_target_"]
        for value in node.values():
            yield from _targets(value)
    elif isinstance(node, list):
        for item in node:
            yield from _targets(item)


@cache
def _own_file(target: str) -> Path | None:
    """The file that a dotted name lies in; None of the project's, the library's and installed."""
    top, *parts = target.split(".")
    if top == "robustseg" or top in sys.stdlib_module_names:
        return None
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if found is None or found.origin is None or _is_installed(found.origin):
        return None
    file = Path(found.origin)
    folder = file.parent if found.submodule_search_locations else None
    for part in parts:
        if folder is None:
            break
        if (folder / part / "__init__.py").is_file():
            folder = folder / part
            file = folder / "__init__.py"
        else:
            inner = folder / f"{part}.py"
            file, folder = (inner if inner.is_file() else file), None
    return file if file.suffix == ".py" and file.is_file() else None


@cache
def _installed() -> tuple[str, ...]:
    paths = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    return tuple({*paths, *site.getsitepackages(), site.getusersitepackages()} - {None})


def _is_installed(origin: str) -> bool:
    return any(Path(origin).is_relative_to(place) for place in _installed())


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
    """The project's git commit, with a + if files differ from it; None outside of git."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        dirty = subprocess.run([*git, "diff", "--quiet", "HEAD"], capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if dirty.returncode else "")
