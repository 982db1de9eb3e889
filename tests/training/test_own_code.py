"""Which files are the source of a configuration's own classes."""

import hashlib
import sys

import pytest

from robustseg.training import own_code as own_code_module
from robustseg.training.own_code import own_code

PROJECT = {
    "entry_of_mine.py": "import json, numpy\nfrom losses_of_mine.one import One",
    "losses_of_mine/__init__.py": "",
    "losses_of_mine/one.py": "from . import parts\nfrom .inner.deep import x\nimport plain_of_mine",
    "losses_of_mine/parts.py": "def f():\n    from .late import Late",
    "losses_of_mine/late.py": "",
    "losses_of_mine/inner/__init__.py": "from .. import two",
    "losses_of_mine/inner/deep.py": "x = 1",
    "losses_of_mine/two.py": "import losses_of_mine.one",
    "losses_of_mine/unused.py": "",
    "plain_of_mine/names.py": "import no_such_module_anywhere",
    "plain_of_mine/other.py": "from plain_of_mine import names",
    "broken_of_mine.py": "import entry_of_mine\n)",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    own_code_module._own.cache_clear()
    yield tmp_path
    assert not [name for name in sys.modules if "_of_mine" in name], "nothing is imported"
    own_code_module._own.cache_clear()


@pytest.mark.parametrize(
    ("target", "imported"),
    [
        ("losses_of_mine.late.Late", ["losses_of_mine"]),
        (
            "losses_of_mine.one.One",
            ["losses_of_mine", "losses_of_mine.inner", "losses_of_mine.inner.deep",
             "losses_of_mine.late", "losses_of_mine.parts", "losses_of_mine.two"],
        ),
        ("plain_of_mine.other.One", ["plain_of_mine.names"]),
        ("plain_of_mine.names.One.inner", []),
        ("broken_of_mine.One", []),
        ("numpy.array", None),
        ("robustseg.losses.TLoss", None),
        ("json.JSONDecoder", None),
        ("no_such_module_anywhere.One", None),
        ("plain_of_mine", None),
    ],
)  # fmt: skip
def test_the_files_that_a_class_is_made_of(project, target, imported):
    found = own_code({"loss": {"_target_": target}})
    assert sorted(found) == ([] if imported is None else sorted([target, *imported]))


def test_hashes_are_those_of_the_files_and_follow_them(project):
    config = {"model": [{"_target_": "entry_of_mine.Entry"}], "loss": {"_target_": "torch.nn.ReLU"}}
    before = own_code(config)
    assert before["entry_of_mine.Entry"] == hashlib.sha256(
        (project / "entry_of_mine.py").read_bytes()
    ).hexdigest()  # fmt: skip
    for name in ("losses_of_mine/two.py", "entry_of_mine.py"):
        file = project / name
        file.write_text(f"{file.read_text()}\n# changed")
    after = own_code(config)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"losses_of_mine.two", "entry_of_mine.Entry"}
