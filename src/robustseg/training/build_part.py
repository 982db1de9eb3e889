"""Builds what a part of the settings describes, with a refusal that names the setting."""

from collections.abc import Mapping
from typing import Any, get_type_hints

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from robustseg.configuration.loading import load_target
from robustseg.errors import ConfigError, UserError
from robustseg.setting_groups import Part


def build_part(path: str, part: Part, **added: Any) -> Any:
    """Build a loss, a network, a noise model or a regulariser.

    Args:
        path: of the part among the settings, such as ``noise.model``.
        part: a class and its arguments.
        added: further arguments.

    Raises:
        ConfigError: an argument is of another type than its annotation says, or the constructor
            refuses it by name.
        InstantiationException: anything else that a constructor raises.
    """
    arguments = part.arguments()
    _check_types(path, arguments)
    try:
        return instantiate(arguments, **added)
    except InstantiationException as error:
        cause = error.__cause__
        refused = isinstance(cause, ValueError) and not isinstance(cause, UserError)
        if refused and str(cause).partition(" ")[0] in arguments:
            raise ConfigError(f"{path}.{cause}") from cause
        raise


def _check_types(path: str, arguments: Mapping[str, Any]) -> None:
    hints = _hints(path, arguments)
    for name, value in arguments.items():
        if name not in hints or _is_built(value):
            continue
        try:
            adapter = TypeAdapter(hints[name], config=ConfigDict(arbitrary_types_allowed=True))
            # Settings know lists only, where a constructor may ask for a tuple.
            adapter.validate_python(value, strict=not isinstance(value, list))
        except PydanticUserError:  # an annotation that is no type of plain values
            continue
        except ValidationError as error:
            raise ConfigError(f"{path}.{name}={value!r} should be {_wanted(error)}") from error


def _wanted(error: ValidationError) -> str:
    first = error.errors()[0]
    if first["type"] in ("sequence_str", "is_instance_of", "list_type"):
        return "a list, such as [a,b]"
    return first["msg"].removeprefix("Input should be ")


def _hints(path: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The annotations of a constructor; none where they are names that only type checkers know."""
    target = load_target(arguments["_target_"], path)
    try:
        made = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
        return get_type_hints(made)
    except NameError:
        return {}


def _is_built(value: Any) -> bool:
    """Whether a value describes a part, or holds some."""
    if isinstance(value, Mapping):
        return "_target_" in value or any(map(_is_built, value.values()))
    return isinstance(value, list) and any(map(_is_built, value))
