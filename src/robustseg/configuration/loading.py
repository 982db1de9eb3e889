"""Classes that settings name, or a message that says where loading them fails."""

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

from robustseg.errors import ConfigError
from robustseg.terminal.suggestion import nearest


def load_target(target: str, path: str) -> Any:
    """The class or function of a `_target_`, found as `hydra.utils.instantiate` finds it.

    Args:
        target: its name, such as ``my_loss.Poly1Loss``.
        path: of the group of settings, for messages.

    Raises:
        ConfigError: it cannot be loaded; the message names the file and line that fail.
    """
    # hydra.utils.get_object is the same, and prints the error as well.
    from hydra._internal.utils import _locate  # what only reads results never gets here

    try:
        return _locate(target)
    except Exception as error:
        cause = error.__cause__ or error
        raise ConfigError(f"{path}._target_={target}: {_why(cause, target)}") from error


def _why(cause: BaseException, target: str) -> str:
    import hydra

    if isinstance(cause, ModuleNotFoundError) and f"{target}.".startswith(f"{cause.name}."):
        return _absent(str(cause.name))
    if isinstance(cause, SyntaxError):
        return f"{cause.filename}, line {cause.lineno}: {cause.msg}"
    machinery = (str(Path(importlib.__file__).parent), str(Path(hydra.__file__).parent), "<frozen")
    frames = [
        frame
        for frame in traceback.extract_tb(cause.__traceback__)
        if not frame.filename.startswith(machinery)
    ]
    where = f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""
    return f"{where}{type(cause).__name__}: {cause}"


def _absent(name: str) -> str:
    """What is said of a module, or of a name in one, that does not exist."""
    module, _, last = name.rpartition(".")
    if not module:
        return (
            f"there is no module {name}, neither installed nor as {name}.py in the working folder"
        )
    home = sys.modules[module]
    near = nearest(last, (one for one in vars(home) if not one.startswith("_")))
    hint = f"; did you mean {module}.{near}?" if near else ""
    return f"{getattr(home, '__file__', None) or module} has no {last}{hint}"
