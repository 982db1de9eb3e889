"""Plain values become settings, or a message that names the mistake."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from robustseg.errors import ConfigError
from robustseg.setting_groups import Group, field_of, group_of, must_be, rule_of, rules
from robustseg.settings import Settings
from robustseg.terminal.printable import printable
from robustseg.terminal.suggestion import suggestion

# Kinds of pydantic's errors; others say that a value is none of its type.
_OUTSIDE = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


def settings_of(config: Mapping[str, Any]) -> Settings:
    """The settings that plain values give, as those of a config.yaml.

    Raises:
        ConfigError: a setting is missing, unknown or out of range.
    """
    try:
        return Settings.model_validate(config)
    except ValidationError as error:
        raise ConfigError(_message(error, config)) from None


def check_setting(name: str, value: Any) -> Any:
    """The value of one setting alone, such as `minutes` or `noise.alpha`.

    A group, and what only the class that is built can check, are returned as they are.

    Raises:
        ConfigError: it is out of range.
    """
    field = _field(name)
    if field is None:
        return value
    if value is None and not field.is_required() and "." not in name:
        value = field.get_default()
    try:
        return _adapter(name).validate_python(value, strict=True)
    except ValidationError as error:
        raise ConfigError(_refusal(name, value, field, error.errors())) from None


def allows_auto(name: str) -> bool:
    """Whether a setting may be ``auto``."""
    field = _field(name)
    return field is not None and bool(rule_of(field).auto)


def _field(name: str) -> FieldInfo | None:
    """The field of a setting that is no group; None if there is none."""
    kind: type[Group] | None = Settings
    field: FieldInfo | None = None
    for key in name.split("."):
        field = None if kind is None else field_of(kind, key)
        kind = None if kind is None else group_of(kind, key)
    return field if kind is None else None


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    field = _field(name)
    assert field is not None
    checked: Any = Annotated[field.annotation, *field.metadata]
    return TypeAdapter(checked)


def _message(error: ValidationError, config: Mapping[str, Any]) -> str:
    """The most telling of the errors: a missing group, else an unknown name, else the first."""

    def rank(problem: Any) -> int:
        if problem["type"] == "missing" and len(problem["loc"]) == 1:
            return 0
        return 1 if problem["type"] == "extra_forbidden" else 2

    problems = error.errors(include_url=False)
    problem = min(problems, key=rank)
    kind: type[Group] | None = Settings
    path: list[str] = []
    field: FieldInfo | None = None
    value: Any = config
    for key in map(str, problem["loc"]):
        if kind is None:
            break
        path.append(key)
        field = field_of(kind, key)
        if field is None:
            if problem["type"] == "extra_forbidden":
                known = suggestion(key, rules(kind))
                return f"unknown setting '{'.'.join(path)}'; {known}"
            return f"{'.'.join(path)} is not the name of a setting"
        value = value.get(key) if isinstance(value, Mapping) else None
        kind = group_of(kind, key)
    assert field is not None  # Settings has been given a mapping
    name = ".".join(path)
    if problem["type"] == "missing":
        return f"unknown setting {name}: it must be {must_be(field)}"
    return _refusal(name, value, field, [problem])


def _refusal(name: str, value: Any, field: FieldInfo, problems: Sequence[Any]) -> str:
    wanted = must_be(field)
    if rule_of(field).auto:
        wanted += ", or auto"
    outside = all(problem["type"] in _OUTSIDE for problem in problems)
    verb = "is out of range: it must be" if outside else "must be"
    said = f"{name}={printable(str(value))} {verb} {wanted}"
    if isinstance(value, list) and len(value) > 1 and "list" not in wanted:
        said += f". To train with each: -m {name}={','.join(printable(str(one)) for one in value)}"
    return said
