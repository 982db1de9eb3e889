"""Options of launchers that are numbers: `hydra.launcher.NAME=VALUE`."""

from robustseg.errors import ConfigError


def whole(name: str, value: object, least: int = 1) -> int:
    """A whole number of at least so much.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise out_of_range(name, value, f"a whole number ≥ {least}")
    return value


def amount(name: str, value: object, zero: bool = False) -> float:
    """A number above 0, or from 0 on if `zero`.

    Raises:
        ConfigError: it is something else.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not (value > 0 or (zero and value == 0)):  # type: ignore[operator]
        raise out_of_range(name, value, f"a number {'≥' if zero else '>'} 0")
    return value  # type: ignore[return-value]


def out_of_range(name: str, value: object, rule: str) -> ConfigError:
    """The refusal of a value."""
    return ConfigError(f"hydra.launcher.{name}={value} is out of range: it must be {rule}")
