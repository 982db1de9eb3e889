"""Errors of the user's making, with one rule of exit codes.

0: done. 1: something failed, or there is nothing to show. 2: the command is wrong: an unknown
option or setting, a value out of range, a filter that names no setting. Ctrl-C ends with 130.
`robustseg` and train.py print the message of a `UserError` without a traceback and end with its
`exit_code`.
"""


class UserError(Exception):
    """What the user can mend; the message says what is wrong and what would help.

    Attributes:
        exit_code: of the program that ends with it.
    """

    exit_code = 1


class ConfigError(UserError, ValueError):
    """A setting or option that cannot work; the message names it and says what would."""

    exit_code = 2


class NotInstalled(UserError, RuntimeError):
    """A library that is not installed by default; the message says how to install it."""


class DataError(UserError, ValueError):
    """Data that cannot be used as it is; the message names the file and the remedy."""


class OptionError(DataError):
    """An option of a data set that cannot work, whatever the data; the message names it."""

    exit_code = 2


class NoRuns(UserError, LookupError):
    """There is nothing to make a table of; the message says where and what would help."""


class RunFailed(UserError, RuntimeError):
    """A run that did not finish; what happened is in its status.json.

    Args:
        message: what happened.
        exit_code: that of the cause; a run whose call is wrong ends like any wrong call.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class DamagedRun(UserError, RuntimeError):
    """Files of an unfinished run that cannot be trusted; the message says which and why."""


class OtherConditions(UserError, RuntimeError):
    """With strict=true: a run was computed with other libraries, code or processor than now."""


class AlreadyRunning(UserError, RuntimeError):
    """Another live process trains this run."""


class TrainingDiverged(UserError, RuntimeError):
    """The loss or the network's output is no longer a number."""


class NaNPredicted(UserError, RuntimeError):
    """A network's output is not a number; the message says on how many images."""


class NoKey(UserError, RuntimeError):
    """wandb cannot be reached without a key; the message says how to give it one."""


class NoImages(UserError, ValueError):
    """A run's images.csv is missing, damaged or not to be read."""


class UnlikeImages(UserError, ValueError):
    """Runs that are to be compared were tested on different images."""


class Unreadable(UserError, ValueError):
    """Files of some runs are missing, damaged or not to be read.

    Attributes:
        reasons: by run id; each names the file.
    """

    def __init__(self, reasons: dict[str, str]) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons = reasons
