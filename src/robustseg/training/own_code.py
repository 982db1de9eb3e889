"""The source of a configuration's own classes: the modules that no installed distribution has."""

import ast
import hashlib
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple


class _Module(NamedTuple):
    name: str  # dotted
    file: Path

    @property
    def package(self) -> str:
        """What its relative imports start from."""
        return self.name if self.file.name == "__init__.py" else self.name.rpartition(".")[0]


def own_code(config: Any) -> dict[str, str]:
    """Hashes of the source of each `_target_` that is not of an installed distribution.

    Nothing is imported for that: a finished run is skipped without its libraries. Imports are read
    from the source; what is imported under a name that is computed is not found.

    Returns:
        By the `_target_` the SHA-256 of the file that it lies in, hex; by module that of each
        further file of one's own that is imported for it, directly or by another.

    Examples:
        >>> own_code({"loss": {"_target_": "torch.nn.BCEWithLogitsLoss"}})
        {}
    """
    code: dict[str, str] = {}
    to_read: list[_Module] = []
    for target in sorted(set(_targets(config))):
        if (module := _own(target)) is not None:
            code[target] = _digest(module.file)
            to_read.append(module)
    seen = set(to_read)
    while to_read:
        module = to_read.pop()
        imported = {found for name in _imported(module) for found in _loaded_for(name)}
        for found in sorted(imported - seen):
            seen.add(found)
            code[found.name] = _digest(found.file)
            to_read.append(found)
    return code


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("_target_"), str):
            yield node["_target_"]
        for value in node.values():
            yield from _targets(value)
    elif isinstance(node, list):
        for item in node:
            yield from _targets(item)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _imported(module: _Module) -> Iterator[str]:
    """The dotted names that a module imports, and the packages that are loaded before it."""
    yield module.package
    yield from _imports(module.file.read_bytes(), module.package)


@lru_cache(maxsize=256)  # a sweep asks for the same files with every run
def _imports(source: bytes, package: str) -> tuple[str, ...]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):  # the run itself says so
        return ()
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")
                kept = above[: len(above) - node.level + 1]
                base = ".".join([*kept, *([base] if base else [])])
            names += [f"{base}.{alias.name}" for alias in node.names]
    return tuple(dict.fromkeys(names))


def _loaded_for(name: str) -> Iterator[_Module]:
    """The module of a dotted name, and the packages around it, which are loaded first."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        if (found := _own(".".join(parts[:length]))) is not None:
            yield found


@cache
def _own(name: str) -> _Module | None:
    """The module that a dotted name lies in; None of the project's, the library's and installed."""
    top, *parts = name.split(".")
    if not top or top == "robustseg" or top in sys.stdlib_module_names:
        return None
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if found is None:
        return None
    places = [Path(place) for place in found.submodule_search_locations or ()]
    origins = places if found.origin is None else [Path(found.origin)]
    if not origins or any(_is_installed(origin) for origin in origins):
        return None
    module = None if found.origin is None else _Module(top, Path(found.origin))
    for count, part in enumerate(parts, start=1):
        dotted = ".".join([top, *parts[:count]])
        inner = [place / part for place in places]
        files = [file for one in inner for file in (one / "__init__.py", one.with_suffix(".py"))]
        file = next((file for file in files if file.is_file()), None)
        places = [one for one in inner if one.is_dir()]
        if file is not None:
            module = _Module(dotted, file)
            places = [file.parent] if file.name == "__init__.py" else []
        elif not places:
            break
    return module if module is not None and _is_source(module.file) else None


def _is_source(file: Path) -> bool:
    return file.suffix == ".py" and file.is_file()


@cache
def _installed() -> tuple[str, ...]:
    paths = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    return tuple({*paths, *site.getsitepackages(), site.getusersitepackages()} - {None})


def _is_installed(origin: Path) -> bool:
    return any(origin.is_relative_to(place) for place in _installed())
