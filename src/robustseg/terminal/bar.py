"""Progress bars of one line, and the time left."""

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.progress import Progress, ProgressColumn, Task
from rich.text import Text

from robustseg.terminal.duration import duration


class Narrow:
    """What leaves room at the end of a line: a ``^C`` that does not fit would begin another."""

    def __init__(self, part: RenderableType) -> None:
        self.part = part

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Constrain(self.part, options.max_width - 3)


class LineProgress(Progress):
    """As wide as the terminal but for a ``^C``."""

    def get_renderable(self) -> RenderableType:
        """The bar."""
        return Narrow(super().get_renderable())


class TimeLeft(ProgressColumn):
    """Such as ``41 s left``; nothing before it can be estimated."""

    max_refresh = 1.0

    def render(self, task: Task) -> Text:
        """The time left at the pace so far."""
        left = task.time_remaining
        return Text("" if left is None or task.finished else f"{duration(left)} left")
