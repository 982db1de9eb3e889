"""What the options of a loss may be: declared in the function's signature, checked from there.

A number carries its range, ``Annotated[float, Range(0, 1)]``, and a choice its values,
``Literal["image", "batch"]``.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, get_args, get_origin

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Range:
    """The finite numbers in [low, high]."""

    low: float
    high: float = math.inf

    def check(self, name: str, value: object) -> None:
        """Raise ValueError unless the value is a number in the range."""
        number = math.nan
        if isinstance(value, Real) and not isinstance(value, bool):
            number = float(value)
        if not (math.isfinite(number) and self.low <= number <= self.high):
            raise ValueError(f"{name} must lie in [{self.low:g}, {self.high:g}], not {value!r}")


@dataclass(frozen=True)
class Choice:
    """A few words."""

    words: tuple[str, ...]

    def check(self, name: str, value: str) -> None:
        """Raise ValueError unless the value is one of the words."""
        if value not in self.words:
            raise ValueError(f"{name} must be {' or '.join(self.words)}, not {value!r}")


@dataclass(frozen=True)
class Switch:
    """True or false."""

    def check(self, name: str, value: object) -> None:
        """Raise ValueError unless the value is one of both."""
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, not {value!r}")


Constraint = Range | Choice | Switch
NonNegative = Annotated[float, Range(0)]


def options_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the options of a function, its keyword-only parameters, by name."""
    parameters = inspect.signature(function).parameters
    return {
        name: option.replace(annotation=_annotation(option, function))
        for name, option in parameters.items()
        if option.kind is option.KEYWORD_ONLY
    }


def _annotation(option: inspect.Parameter, function: Callable[..., Any]) -> Any:
    """An option's annotation, which is text where a module postpones their evaluation."""
    if isinstance(option.annotation, str):
        return eval(option.annotation, inspect.unwrap(function).__globals__)
    return option.annotation


def constraints_of(function: Callable[..., Any]) -> dict[str, Constraint]:
    """Return the constraint of each option of a function that declares one."""
    found: dict[str, Constraint] = {}
    for name, option in options_of(function).items():
        if get_origin(option.annotation) is Literal:
            found[name] = Choice(get_args(option.annotation))
        if option.annotation is bool:
            found[name] = Switch()
        for note in getattr(option.annotation, "__metadata__", ()):
            if isinstance(note, Range):
                found[name] = note
    return found


def check_options(constraints: Mapping[str, Constraint], options: Mapping[str, Any]) -> None:
    """Raise ValueError if an option breaks its constraint."""
    for name, constraint in constraints.items():
        if name in options:
            constraint.check(name, options[name])


def checked(loss: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Check the options of `loss` whenever it is called: for losses made of other losses."""
    constraints = constraints_of(loss)

    @functools.wraps(loss)
    def with_check(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        check_options(constraints, kwargs)
        return loss(*args, **kwargs)

    return with_check
