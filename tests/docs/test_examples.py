"""The examples of the library's docstrings: they run, and every public name has one."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
PACKAGES = ("losses", "metrics", "noise")
MODULES = sorted(
    ".".join(file.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
    for file in (SRC / "robustseg").rglob("*.py")
    if re.search(r">>> (?!.*\+SKIP)", file.read_text(encoding="utf-8"))
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried > 0
    assert failed == 0, "see the output above"


def public(package):
    """The names of a package that need an example: no constants, interfaces or wrapped losses."""
    module = importlib.import_module(f"robustseg.{package}")
    interfaces = {"Corruption", "Donors", "NoiseModel"}
    objects = {name: getattr(module, name) for name in module.__all__}
    return {
        name: thing
        for name, thing in objects.items()
        if callable(thing) and name not in interfaces and not hasattr(thing, "function")
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_an_example(package):
    things = public(package)
    assert len(things) > 8
    without = [name for name, thing in things.items() if ">>> " not in inspect.getdoc(thing)]
    assert not without, f"a docstring needs an example: {', '.join(without)}"


NAMES = {
    name
    for file in (SRC / "robustseg").rglob("*.py")
    for name in re.findall(r"`{1,2}~?(robustseg(?:\.\w+)+)`", file.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_names_in_docstrings_exist(name):
    pkgutil.resolve_name(name)
