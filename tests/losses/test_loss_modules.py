"""Classes made of loss functions: constructor, constraints, pickling, compilation."""

import importlib
import inspect
import math
import pickle
import pydoc
import re

import pytest
import torch
from torch import nn

from robustseg import losses
from robustseg.losses.module import LossModule
from robustseg.losses.options import Choice, Switch, constraints_of, options_of

CLASSES = [getattr(losses, name) for name in losses.__all__ if name.endswith("Loss")]
WRAPPED = [kind for kind in CLASSES if issubclass(kind, LossModule)]
CONSTRAINTS = [
    pytest.param(kind, name, constraint, id=f"{kind.__name__}-{name}")
    for kind in WRAPPED
    for name, constraint in constraints_of(kind.function).items()
]
every_class = pytest.mark.parametrize("kind", WRAPPED, ids=lambda kind: kind.__name__)


def tensors(channels=1):
    generator = torch.Generator().manual_seed(0)
    logits, target = torch.randn(2, 2, channels, 6, 5, generator=generator)
    return logits, target.sigmoid()


def outside(constraint):
    """Values just beyond a constraint, and some that are not numbers."""
    if isinstance(constraint, Switch):
        return [0, "true", None]
    if isinstance(constraint, Choice):
        return ["", constraint.words[0].upper(), None]
    beyond = [math.nextafter(constraint.low, -math.inf), math.nan, math.inf, -math.inf]
    beyond += ["0.5", None, True]
    if constraint.high < math.inf:
        beyond.append(math.nextafter(constraint.high, math.inf))
    return beyond


def inside(constraint):
    """The ends of a range, or every choice."""
    if isinstance(constraint, Switch):
        return [False, True]
    if isinstance(constraint, Choice):
        return constraint.words
    return [constraint.low, constraint.high if constraint.high < math.inf else 10.0]


def test_only_the_t_losses_have_parameters_of_their_own():
    assert set(CLASSES) - set(WRAPPED) == {losses.TLoss, losses.AreaTLoss}


@pytest.mark.parametrize("kind, name, constraint", CONSTRAINTS)
def test_a_constraint_holds_for_class_and_function(kind, name, constraint):
    for value in outside(constraint):
        for call in (kind, lambda **options: kind.function(*tensors(), **options)):
            with pytest.raises(ValueError, match=f"^{name} must "):
                call(**{name: value})
    for value in inside(constraint):
        options = {name: value}
        assert kind(**options)(*tensors()) == kind.function(*tensors(), **options)


@every_class
def test_every_option_has_a_constraint(kind):
    options = options_of(kind.function)
    assert list(constraints_of(kind.function)) == list(options) == list(kind.options)


def test_constraints_are_those_of_the_documentation():
    """Against the words beside each option, which people read."""
    for kind in WRAPPED:
        document = inspect.getdoc(kind.function)
        for name, found in constraints_of(kind.function).items():
            line = re.search(rf"^    {name}: (.+(?:\n     .+)*)", document, re.MULTILINE)
            if line is None or isinstance(found, Choice | Switch):
                continue  # the active-passive losses: in the file's docstring
            wanted = f"[{found.low:g}, {found.high:g}]"
            if found.high == math.inf:
                wanted = f"at least {found.low:g}"
            assert wanted in line[1], f"{kind.__name__}: {name}"


@every_class
def test_constructor_takes_the_options_by_name_and_in_order(kind):
    options = options_of(kind.function)
    parameters = inspect.signature(kind).parameters
    assert list(parameters) == list(options)
    assert [p.default for p in parameters.values()] == [p.default for p in options.values()]
    values = [inside(constraint)[-1] for constraint in constraints_of(kind.function).values()]
    built = kind(*values)
    assert isinstance(built, nn.Module)
    assert [getattr(built, name) for name in options] == values
    assert list(built.state_dict()) == []
    for name, value in zip(options, values, strict=True):
        assert f"{name}={value}" in repr(built)
    with pytest.raises(TypeError, match="no_such_option"):
        kind(no_such_option=1)
    with pytest.raises(TypeError, match="too many"):
        kind(*values, 1)


@every_class
def test_help_tells_options_and_function(kind):
    text = pydoc.render_doc(kind, renderer=pydoc.plaintext)
    assert f":func:`{kind.function.__name__}`" in text
    for name in options_of(kind.function):
        assert f"{name}: " in text
    assert kind.__name__.lower() == kind.function.__name__.replace("_", "")
    assert (kind.__module__, kind.__qualname__) == (kind.function.__module__, kind.__name__)


@every_class
def test_pickles_with_its_options(kind):
    values = [inside(constraint)[-1] for constraint in constraints_of(kind.function).values()]
    built = kind(*values)
    again = pickle.loads(pickle.dumps(built))
    assert type(again) is kind
    assert repr(again) == repr(built)
    assert again(*tensors()) == built(*tensors())


@pytest.mark.parametrize("kind", [losses.DiceLoss, losses.GCELoss, losses.LogSSELoss])
def test_compiles_without_a_break(kind):
    torch.compiler.reset()
    logits, target = tensors()
    built = kind()
    compiled = torch.compile(built, backend="eager", fullgraph=True)
    assert compiled(logits, target) == built(logits, target)


def test_postponed_annotations_are_constraints(tmp_path, monkeypatch):
    (tmp_path / "postponed.py").write_text(
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING, Annotated\n"
        "from robustseg.losses import mae_loss\n"
        "from robustseg.losses.module import LossModule\n"
        "from robustseg.losses.options import Range\n"
        "if TYPE_CHECKING:\n"
        "    from torch import Tensor\n\n\n"
        "def scaled(logits: Tensor, target, ignore=None, *, scale: Annotated[float, Range(0)]=1):\n"
        "    return scale * mae_loss(logits, target, ignore)\n\n\n"
        "class Scaled(LossModule, function=scaled):\n"
        "    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    scaled = importlib.import_module("postponed").Scaled
    assert scaled(2.0)(*tensors()) == 2 * losses.mae_loss(*tensors())
    with pytest.raises(ValueError, match=r"^scale must lie in \[0, inf\], not -5"):
        scaled(scale=-5)


def test_a_class_may_be_extended():
    class Half(losses.DiceLoss):
        def forward(self, logits, target, ignore=None):
            return super().forward(logits, target, ignore) / 2

    half = Half(domain="batch")
    assert half(*tensors()) == losses.DiceLoss(domain="batch")(*tensors()) / 2
    assert inspect.signature(Half) == inspect.signature(losses.DiceLoss)


def test_options_may_change_after_construction():
    loss = losses.FocalLoss()
    loss.gamma = 0.0
    assert loss(*tensors()) == losses.focal_loss(*tensors(), gamma=0.0)
