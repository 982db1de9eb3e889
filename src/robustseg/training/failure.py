"""Why a run failed: in the words of its message, its exit code, its status."""

import logging
import traceback

from hydra.errors import InstantiationException
from omegaconf.errors import OmegaConfBaseException

from robustseg.errors import ConfigError, OtherConditions, UserError
from robustseg.runs.folder import RunFolder
from robustseg.terminal.suggestion import shorter

_log = logging.getLogger(__name__)


def _cause(error: BaseException) -> BaseException:
    """What a constructor raised, where Hydra wraps it."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        return error.__cause__
    return error


def message(error: BaseException) -> str:
    """Why a run failed; what the user can mend needs no class of error before it."""
    cause = _cause(error)
    if not str(cause).strip():
        return type(cause).__name__
    if isinstance(cause, UserError | ValueError):
        return shorter(str(cause))
    return shorter(f"{type(cause).__name__}: {cause}")


def exit_code(error: Exception) -> int:
    """Whether the run failed, or its call is wrong: also what a constructor does not take."""
    cause = _cause(error)
    if isinstance(cause, UserError):
        return cause.exit_code
    refused = isinstance(error, InstantiationException) and isinstance(cause, ValueError)
    wrong = refused or isinstance(error, OmegaConfBaseException)
    return ConfigError.exit_code if wrong else UserError.exit_code


def note_failure(folder: RunFolder, error: BaseException) -> None:
    """Note a failure; an interrupted run stays "running", without a live lock.

    One that strict=true refuses is what it was.
    """
    if isinstance(error, KeyboardInterrupt | SystemExit | OtherConditions):
        return
    trace = "".join(traceback.format_exception(error))
    cause = _cause(error)
    try:
        folder.mark_failed(type(cause).__name__, str(cause), trace)
    except OSError as full:  # a full disk is reported by the error that propagates
        error.add_note(f"It could not be recorded in {folder.status}: {full}")
        _log.error("%s: the failure could not be recorded: %s", folder.run_id, full)
