"""Fill the tables of the small experiments, run by run, as far as the time allows.

Runs what neither runs/ nor the committed records have, from a frozen copy of the last commit (so
that the code can be edited meanwhile) and at the lowest priority; then packs what is finished into
experiments/NAME/record. Stop it at any time with Ctrl-C or SIGTERM: the next call resumes.

    python experiments/campaign.py --data /data --minutes 60
    python experiments/campaign.py --data /data --minutes 60 --jobs 2 --only tloss_isic2017_small
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from robustseg.configuration import hardware

ROOT = Path(__file__).parents[1]
_NOISE = ("noise.alpha=0.7,0.0", "noise.beta=0.7")
_GRID = ("loss=tloss,gce,mae,ce", *_NOISE)


@dataclass(frozen=True)
class Part:
    """A part of an experiment.

    Attributes:
        preset: of conf/experiment.
        experiment: that the preset's runs belong to, and that is packed.
        data: folder of the data set inside of --data.
        overrides: what narrows the preset's grid.
    """

    preset: str
    experiment: str
    data: str
    overrides: tuple[str, ...]


def plan() -> list[Part]:
    """Return what to run, in order: every cell once, the main comparison first; then its seeds."""
    tiles, tissue = "tversky_histopathology_small", "histopathology"
    positive = f"{tiles}_positive"
    parts = [*_tables("0", _GRID), *_tables("0", _NOISE, "_area")]
    parts += [*_tables("0"), Part(positive, tiles, tissue, ("seed=0",))]
    parts += [Part(tiles, tiles, tissue, ("seed=0",))]
    parts += [Part("tversky_smooth", "tversky_smooth", tissue, ()), *_tables("0", (), "_area")]
    parts += [*_tables("0", (), "_more"), *_tables("1,2", _GRID)]
    parts += [Part(positive, tiles, tissue, ("seed=1,2", "loss=dice"))]
    parts += _lesions("tloss_why", "types", "decay", "crops")
    parts += [*_tables("1,2"), Part(positive, tiles, tissue, ("seed=1,2",))]
    parts += [Part(tiles, tiles, tissue, ("seed=1,2",)), *_tables("1,2", (), "_area")]
    parts += _tables("1,2", (), "_more")
    parts += _lesions("tloss_area", "clean", "draw", "types", "annotators", "panel", "models")
    return [*parts, Part("tloss_area_tiles", "tloss_area_tiles", tissue, ())]


def _tables(seeds: str, narrowed: tuple[str, ...] = (), part: str = "") -> list[Part]:
    """Seeds of the tables of lesions and of lungs, or of a part of their presets."""
    experiments = {"tloss_isic2017_small": "isic2017", "tloss_shenzhen_small": "shenzhen"}
    return [
        Part(f"{experiment}{part}", experiment, data, (f"seed={seeds}", *narrowed))
        for experiment, data in experiments.items()
    ]


def _lesions(experiment: str, *presets: str) -> list[Part]:
    """An experiment on lesions that is spread over presets, each of them whole."""
    return [Part(f"{experiment}_{preset}", experiment, "isic2017", ()) for preset in presets]


def main() -> int:
    """Run the parts in order until the time is up; return 1 if a run failed."""
    options = _parser().parse_args()
    parts = [part for part in plan() if not options.only or part.experiment in options.only]
    missing = {part.data for part in parts if not (options.data / part.data).is_dir()}
    for name in sorted(missing):
        left_out = {part.experiment: None for part in parts if part.data == name}
        print(
            f"no folder {options.data / name} (see robustseg data download): without "
            f"{', '.join(left_out)}",
            file=sys.stderr,
        )
    parts = [part for part in parts if part.data not in missing]
    if not parts:
        return 2
    os.nice(19)
    deadline = time.monotonic() + 60 * options.minutes
    code = 0
    with _frozen() as copy:
        for part in parts:
            left = (deadline - time.monotonic()) / 60
            if left < 0.01:  # what minutes=0.00 would refuse
                break
            print(f"\n{part.preset} {' '.join(part.overrides)}: {left:.0f} min left", flush=True)
            try:
                if end := _train(copy, part, options, left):
                    code = 1
                    how = f"ended with {end}" if end > 0 else f"was killed by signal {-end}"
                    print(f"{part.preset} {how}", file=sys.stderr, flush=True)
            finally:
                code = max(code, _pack(part))
    print("\nTo keep what was computed: git add experiments/*/record && git commit")
    return code


def _parser() -> argparse.ArgumentParser:
    text, _, examples = (__doc__ or "").partition("\n\n    ")
    parser = argparse.ArgumentParser(
        description=text,
        epilog=f"    {examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder with isic2017, shenzhen and histopathology, each as its data set's page says; "
        "experiments on one that is not there are left out",
    )
    parser.add_argument("--minutes", type=_positive, default=60, help="time limit (default: 60)")
    parser.add_argument(
        "--jobs",
        default="auto",
        help="runs at a time (default: auto, as many as cores, or as a GPU has room for)",
    )
    experiments = dict.fromkeys(part.experiment for part in plan())
    parser.add_argument("--only", nargs="+", choices=experiments, help="only these experiments")
    return parser


def _positive(text: str) -> float:
    """A number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which stops as Ctrl-C does, but reaches this process alone."""


def _terminate(number: int, frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Terminated


@contextmanager
def _frozen() -> Iterator[Path]:
    """A working tree of the last commit, deleted afterwards."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    if subprocess.run([*git, "diff", "--quiet", "HEAD"]).returncode:
        print(f"Files differ from the commit {commit}, which is what runs", file=sys.stderr)
    copy = ROOT / "build" / "campaign" / f"{commit}-{os.getpid()}"
    subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(copy)], check=True)
    try:
        yield copy
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", str(copy)], check=True)


def _train(copy: Path, part: Part, options: argparse.Namespace, minutes: float) -> int:
    call = [
        *(sys.executable, "train.py", "-m", f"+experiment={part.preset}", *part.overrides),
        f"dataset.root={_quoted((options.data / part.data).absolute())}",
        f"dataset.device={device_of(part)}",
        f"minutes={minutes:.2f}",
        f"records=[{','.join(map(_quoted, _records()))}]",
        f"hydra.launcher.n_jobs={options.jobs}",
        f"paths.runs={_quoted(ROOT / 'runs')}",
        f"paths.logs={_quoted(ROOT / 'logs')}",
        "logger=none",
    ]
    paths = {"PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(call, cwd=copy, env=os.environ | paths) as sweep:
        try:
            return sweep.wait()
        except KeyboardInterrupt as stop:  # Ctrl-C has reached the sweep, which keeps checkpoints
            if isinstance(stop, _Terminated):
                sweep.send_signal(signal.SIGINT)
            sweep.wait()
            raise


def _records() -> list[Path]:
    return sorted(path.parent for path in (ROOT / "experiments").glob("*/record/record.json"))


def _quoted(path: Path) -> str:
    """A path as Hydra takes it whatever it holds, such as a comma or a blank."""
    escaped = str(path).replace("'", "\\'")
    return f"'{escaped}'"


def device_of(part: Part) -> str:
    """Where batches are made; a GPU cannot draw all that the public code's augmentation does."""
    if part.preset == "tloss_why_crops":
        return "cpu"
    return "cuda" if hardware.accelerator("auto") == "gpu" else "cpu"


def _pack(part: Part) -> int:
    """Pack what is finished; return 1 if the record is damaged."""
    from robustseg.cli.records import tell_packed
    from robustseg.records import pack

    record = ROOT / "experiments" / part.experiment / "record"
    if not (ROOT / "runs").is_dir():  # no run was started
        return 0
    report = pack(part.experiment, [ROOT / "runs"], record, elsewhere=_records())
    print(f"{record}: {len(report.added)} runs added")
    tell_packed(report)
    return int(bool(report.damages))


def command() -> int:
    """Run `main` until it is done or stopped, with the exit code 130 if stopped."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return main()
    except KeyboardInterrupt:
        print("\nInterrupted; what was finished is packed. The same command resumes.")
        return 130


if __name__ == "__main__":
    sys.exit(command())
