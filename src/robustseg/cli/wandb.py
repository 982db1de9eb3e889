"""`robustseg wandb workspace`, `robustseg wandb sync` and `robustseg wandb upload`."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli.run_sources import add_runs, chosen_sources, not_trained
from robustseg.errors import DataError, NoKey, NoRuns, NotInstalled
from robustseg.results.sources import Sources
from robustseg.runs.survey import RunState
from robustseg.terminal.count import count
from robustseg.terminal.duration import duration
from robustseg.terminal.printable import printable
from robustseg.terminal.remarks import tell

if TYPE_CHECKING:
    from robustseg.dashboards.wandb_sync import Synced

_NO_EXTRA = 'the workspace needs wandb-workspaces: pip install "robustseg[dashboards]"'


def add_parser(subparsers: Any) -> None:
    """Add the command ``wandb`` and its subcommands."""
    parser = subparsers.add_parser("wandb", help="dashboards, offline runs and late uploads")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_workspace(commands)
    _add_sync(commands)
    _add_upload(commands)


def _add_workspace(commands: Any) -> None:
    parser = commands.add_parser(
        "workspace",
        help="make the dashboard of some runs, as JSON or saved to wandb",
        description="Make the dashboard of an experiment, or of all runs: Dice against α by "
        "loss, memorisation, ν, domain against batch size, failed runs, images. Needs no key "
        "unless it is saved.",
        epilog="robustseg wandb workspace demo -o workspace.json",
    )
    _add_experiment(parser)
    parser.add_argument("-o", "--out", type=Path, help="JSON file (default: standard output)")
    parser.add_argument("--save", action="store_true", help="save it to wandb as a new view")
    parser.set_defaults(main=workspace)


def _add_sync(commands: Any) -> None:
    parser = commands.add_parser(
        "sync",
        help="send offline runs to wandb",
        description="Send the offline runs below a folder that are not in wandb yet. Exit code 1 "
        "if one could not be sent; the same command retries it.",
        epilog="robustseg wandb sync logs",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("logs"), help="(default: logs)"
    )
    _add_limits(parser)
    parser.set_defaults(main=sync)


def _add_upload(commands: Any) -> None:
    parser = commands.add_parser(
        "upload",
        help="upload finished runs to wandb",
        description="Log finished runs that were trained with logger=none: under the same ids, "
        "with all that they would have logged themselves (from a record: curves and "
        "numbers). Runs that were logged or uploaded before are skipped.",
        epilog="robustseg wandb upload demo --runs runs",
    )
    _add_experiment(parser)
    parser.add_argument(
        "--logs", type=Path, default=Path("logs"), help="folder to write to (default: logs)"
    )
    parser.add_argument(
        "--images",
        choices=("auto", "always", "never"),
        default="auto",
        help="images; auto: only of public data sets (default: auto)",
    )
    parser.add_argument(
        "--all", action="store_true", help="also runs that were logged during training"
    )
    parser.add_argument(
        "--offline", action="store_true", help="only write them; `robustseg wandb sync` sends them"
    )
    _add_limits(parser)
    parser.set_defaults(main=upload)


def _add_experiment(parser: argparse.ArgumentParser) -> None:
    add_runs(parser, duplicates=False)
    parser.add_argument("--project", default="robustseg", help="wandb project (default: robustseg)")
    parser.add_argument("--entity", help="user or team (default: yours)")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run-limit",
        type=float,
        default=300,
        metavar="SECONDS",
        help="time limit per run (default: 300)",
    )
    parser.add_argument(
        "--limit",
        type=float,
        default=3600,
        metavar="SECONDS",
        help="total time limit (default: 3600)",
    )


def workspace(options: argparse.Namespace) -> int:
    """Write the dashboard as JSON, or save it."""
    sources = chosen_sources(options)
    runs = _states(sources, options.experiment)
    try:
        from robustseg.dashboards import wandb_workspace as dashboards
    except ModuleNotFoundError as error:
        raise NotInstalled(_NO_EXTRA) from error
    entity = options.entity or ""
    if options.save:
        from robustseg.dashboards.wandb_sync import check_key

        check_key()
        import wandb

        entity = entity or wandb.Api().default_entity
    made = dashboards.make_workspace(options.experiment, runs, sources, options.project, entity)
    if options.out:
        from robustseg.runs.files import write_text

        write_text(options.out, dashboards.to_json(made) + "\n")
        print(f"The dashboard of {count(len(runs), 'run')} is in {options.out}")
    elif not options.save:
        print(dashboards.to_json(made))
    if options.save:
        print(made.save().url)
    return 0


def _states(sources: Sources, experiment: str | None) -> list[RunState]:
    """The runs of an experiment, or all, whatever their state.

    Raises:
        NoRuns: there are none; the message says what there is.
    """
    from robustseg.terminal.suggestion import suggestion

    for folder in sources.missing():
        raise NoRuns(f"no such directory: {folder}; name it with --runs")
    runs = sources.states()
    if experiment is None and not runs:
        raise NoRuns(f"there is no run in {sources}")
    chosen = [run for run in runs if experiment is None or experiment in run.experiments]
    if not chosen:
        known = {name for run in runs for name in run.experiments}
        none = "these runs belong to no experiment: leave it out"
        hint = suggestion(str(experiment), known) if known else none
        raise NoRuns(f"no run in {sources} belongs to the experiment '{experiment}'; {hint}")
    return chosen


def sync(options: argparse.Namespace) -> int:
    """Send offline runs; 1 if one could not be sent."""
    from robustseg.dashboards.wandb_sync import check_key, find
    from robustseg.dashboards.wandb_sync import sync as send

    if not options.folder.is_dir():
        raise NoRuns(f"no such directory: {options.folder}")
    runs, before = find(options.folder)
    if not runs:
        print(f"Nothing to sync in {options.folder}: {count(before, 'offline run')}, all synced")
        return 0
    check_key()

    def show(at: int, result: "Synced") -> None:
        took = f" ({duration(result.seconds)})" if result.seconds else ""
        why = f": {result.reason}" if result.reason else ""
        print(printable(f"{at}/{len(runs)} {result.run_id} {result.state}{took}{why}"), flush=True)

    results = send(runs, options.run_limit, options.limit, show)
    counts = Counter(result.state for result in results)
    print(", ".join([*(f"{n} {s}" for s, n in counts.items()), f"{before} synced before"]))
    return int(counts["failed"] > 0)


def upload(options: argparse.Namespace) -> int:
    """Make wandb runs of finished ones and send them; 1 if something could not be."""
    from robustseg.dashboards.wandb_sync import check_key
    from robustseg.records.layout import DamagedRecord, NotKept
    from robustseg.results.load import load_runs
    from robustseg.runs.files import DamagedFile

    sources = chosen_sources(options)
    filters = {"experiment": options.experiment} if options.experiment else {}
    try:
        runs = load_runs(sources, **filters)
    except NoRuns as error:
        raise NoRuns(not_trained(options, sources) or str(error)) from error
    if not options.offline:
        try:
            check_key()
        except NoKey as error:
            raise NoKey(f"{error}; --offline only writes the runs") from error
    from robustseg.dashboards.wandb_upload import uploads, write_offline

    tell(f"{options.prog}: {remark}" for remark in runs.attrs["remarks"])
    counts: Counter[str] = Counter()
    of_runs = zip(runs["run_id"], runs["experiments"], strict=True)
    for at, (run_id, experiments) in enumerate(of_runs, start=1):
        try:
            state = write_offline(
                sources.find(run_id),
                options.logs,
                experiment=options.experiment or next(iter(experiments), None),
                project=options.project,
                entity=options.entity,
                images=options.images,
                again=options.all,
            )
        except (DataError, DamagedFile, DamagedRecord, NotKept) as error:
            counts["damaged"] += 1
            print(printable(f"{at}/{len(runs)} {run_id} not uploaded: {error}"), file=sys.stderr)
            continue
        counts[state] += 1
        print(f"{at}/{len(runs)} {printable(run_id)} {_STATES[state]}", flush=True)
    print(", ".join(f"{number} {_STATES[state]}" for state, number in counts.items()))
    if counts["logged"]:
        print(f"Runs logged during training: robustseg wandb sync {options.logs}")
    options.folder = uploads(options.logs, options.project, options.entity)
    if options.offline:
        if counts["written"] or counts["there"]:
            print(f"To send them: robustseg wandb sync {options.folder}")
        return int(counts["damaged"] > 0)
    code = sync(options) if options.folder.is_dir() else 0
    return max(code, int(counts["damaged"] > 0))


_STATES = {
    "damaged": "not uploaded, since they are damaged",
    "written": "written",
    "logged": "logged during training",
    "there": "written before",
}
