"""Plain values become settings, or a message that names the mistake."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from robustseg.errors import ConfigError
from robustseg.settings import Group, Settings, field_of, group_of, must_be, rules
from robustseg.terminal.printable import printable
from robustseg.terminal.suggestion import suggestion


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
    """The value of one of the settings outside of any group, such as `minutes`.

    Raises:
        ConfigError: it is out of range.
    """
    field = Settings.model_fields[name]
    if value is None and not field.is_required():
        value = field.get_default()
    try:
        return _adapter(name).validate_python(value, strict=True)
    except ValidationError:
        raise ConfigError(_refusal(name, value, must_be(field))) from None


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    field = Settings.model_fields[name]
    checked: Any = Annotated[field.annotation, *field.metadata]
    return TypeAdapter(checked)


def _message(error: ValidationError, config: Mapping[str, Any]) -> str:
    """The most telling of the errors: a missing group, else an unknown name, else the first."""

    def rank(problem: Any) -> int:
        if problem["type"] == "missing" and len(problem["loc"]) == 1:
            return 0
        return 1 if problem["type"] == "extra_forbidden" else 2

    problem = min(error.errors(include_url=False), key=rank)
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
    return _refusal(name, value, must_be(field))


def _refusal(name: str, value: Any, wanted: str) -> str:
    said = f"{name}={printable(str(value))} is out of range: it must be {wanted}"
    if isinstance(value, list) and len(value) > 1 and "list" not in wanted:
        said += f". To train with each: -m {name}={','.join(printable(str(one)) for one in value)}"
    return said
