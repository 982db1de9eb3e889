"""What a setting is, and a group of settings: how they are declared, read and described."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from annotated_types import Ge
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidatorFunctionWrapHandler,
    model_validator,
)
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Setting:
    """What a field of a group is, beside its type.

    Attributes:
        text: what it means, as the documentation says it.
        must_be: its type and range in words, where they do not follow from the type.
        unit: of a number; "" for none.
        identity: whether a result can depend on it, so that it is part of the run's id.
        later: whether it came after runs had been made; its default stands for what was done
            before, and is left out of the id.
        argument: of a `Part`: whether it is an argument of what is built, and need not be there.
        auto: what ``auto`` stands for; "" where it is not allowed.
    """

    text: str
    must_be: str = ""
    unit: str = ""
    identity: bool = True
    later: bool = False
    argument: bool = False
    auto: str = ""


class Group(BaseModel):
    """Settings under one name. Values are as they were written; unknown names are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    _order: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _keep_order(cls, given: Any, build: ValidatorFunctionWrapHandler) -> Self:
        """The order of files: config.yaml is written as the configuration was composed."""
        group: Self = build(given)
        if isinstance(given, Mapping):
            group._order = tuple(given)
        return group

    def plain(self) -> dict[str, Any]:
        """As nested plain values, in the order in which they were given."""
        values = {
            key: _plain(getattr(self, name))
            for name, key in _keys(type(self)).items()
            if name in self.model_fields_set or not isinstance(self, Part)
        } | {key: _plain(value) for key, value in (self.model_extra or {}).items()}
        return {key: values[key] for key in dict.fromkeys((*self._order, *values))}

    def changed(self, **values: Any) -> Self:
        """A copy with other values, which are not checked."""
        return self.model_copy(update=values)


class Part(Group):
    """What is built from a class, its `_target_`, and arguments, which the class itself checks."""

    model_config = ConfigDict(extra="allow")

    target: Annotated[Any, Setting("class or function to build", argument=True)] = Field(
        None, alias="_target_"
    )

    @property
    def is_built(self) -> bool:
        """Whether there is anything to build."""
        return self.target is not None

    def arguments(self) -> dict[str, Any]:
        """`_target_` and its arguments, as `hydra.utils.instantiate` takes them."""
        own = own_settings(type(self))
        return {key: value for key, value in self.plain().items() if key not in own}

    def get(self, name: str, default: Any = None) -> Any:
        """The value of an argument."""
        return self.plain().get(name, default)


@cache
def rules(kind: type[Group]) -> dict[str, Setting]:
    """What the settings of a group are, by name."""
    return {_keys(kind)[name]: rule_of(field) for name, field in kind.model_fields.items()}


@cache
def own_settings(kind: type[Part]) -> frozenset[str]:
    """Settings of a part that are not arguments of what is built."""
    return frozenset(name for name, rule in rules(kind).items() if not rule.argument)


def group_of(kind: type[Group] | None, name: str) -> type[Group] | None:
    """The group that a setting of a group is itself; None if it is none."""
    field = None if kind is None else field_of(kind, name)
    inner = None if field is None else field.annotation
    return inner if isinstance(inner, type) and issubclass(inner, Group) else None


def default_of(kind: type[Group], name: str) -> Any:
    """The default of a setting of a group."""
    field = field_of(kind, name)
    return None if field is None else field.get_default()


def rule_of(field: FieldInfo) -> Setting:
    """What a setting is, from its field."""
    (rule,) = (one for one in field.metadata if isinstance(one, Setting))
    return rule


def must_be(field: FieldInfo) -> str:
    """The type and range of a setting in words."""
    return rule_of(field).must_be or _in_words(field.annotation, field.metadata)


def _in_words(kind: Any, bounds: list[Any]) -> str:
    if isinstance(kind, type) and issubclass(kind, Group):
        return "a group of settings"
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(choice).lower() for choice in get_args(kind))
    if get_origin(kind) in (Union, types.UnionType):
        (part,) = (part for part in get_args(kind) if part is not type(None))
        return f"{_in_words(part, bounds)}, or null"
    least = "".join(f" ≥ {bound.ge}" for bound in bounds if isinstance(bound, Ge))
    return {int: "a whole number", bool: "true or false", str: "text"}[kind] + least


@cache
def _keys(kind: type[Group]) -> dict[str, str]:
    """Names in the configuration by the names of fields."""
    return {name: field.alias or name for name, field in kind.model_fields.items()}


def field_of(kind: type[Group], key: str) -> FieldInfo | None:
    """The field of a setting of a group; None if it has none of this name."""
    name = next((name for name, of in _keys(kind).items() if of == key), key)
    return kind.model_fields.get(name)


def _plain(value: Any) -> Any:
    if isinstance(value, Group):
        return value.plain()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
