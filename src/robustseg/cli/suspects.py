"""`robustseg suspects`."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli.file_argument import file_ending
from robustseg.cli.overrides import add_overrides, check_only
from robustseg.cli.run_argument import add_run, begin, loaded, positive
from robustseg.errors import ConfigError
from robustseg.terminal.aligned import aligned

if TYPE_CHECKING:
    import numpy as np

    from robustseg.data.prepare import RunData
    from robustseg.finished.load import FinishedRun
    from robustseg.finished.suspects import Beliefs

_OVERRIDES = ("dataset.root", "paths.cache")


def add_parser(subparsers: Any) -> None:
    """Add the command ``suspects``."""
    parser = subparsers.add_parser(
        "suspects",
        help="the training masks that the network disagrees with most",
        description="Rank a finished run's training masks by how strongly its network disagrees "
        "with them: by the weight that the T-Loss gives an image if the run was "
        "trained with it, else by the mean squared residual; or by 1 - Dice. With "
        "injected noise, it reports how well the wrong masks are found.",
        epilog="robustseg suspects runs/isic2017-tloss-clean-s0-1f2e3d4c --sheet sheet.png",
    )
    add_run(parser)
    add_overrides(parser, "dataset.root=… if the data is elsewhere now, paths.cache=…")
    parser.add_argument(
        "--by",
        choices=("own", "dice"),
        default="own",
        help="own: the weight or residual, which depends on the size of a mask except with "
        "tloss_area and tloss_area_mean (default); dice: 1 - Dice of mask and prediction",
    )
    parser.add_argument("--top", type=positive, default=20, help="masks to list (default: 20)")
    parser.add_argument(
        "-o", "--out", type=file_ending(".csv"), help="CSV file of all training masks"
    )
    parser.add_argument(
        "--sheet",
        type=file_ending(".png"),
        help="PNG file: the most suspicious masks, with both outlines",
    )
    parser.add_argument(
        "--count", type=positive, default=24, help="masks on the sheet (default: 24)"
    )
    parser.add_argument("--compare", action="store_true", help="add cleanlab's label quality score")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Print the least believed masks and how many wrong ones are found."""
    begin(options)
    from robustseg.configuration.compose import composed
    from robustseg.finished.detection import detections
    from robustseg.finished.suspects import DICE, beliefs
    from robustseg.finished.training_data import training_data
    from robustseg.runs.files import write_csv

    check_only(options.overrides, _OVERRIDES, "suspects")
    if options.out:
        _check_out(options.out)
    settings = composed(options.overrides)
    run = _moved(loaded(options), settings.dataset.root)
    data = training_data(run, Path(settings.paths.cache))
    own = options.by == "own"
    found = beliefs(run, data.train.images, data.noisy, compare=options.compare, need_own=own)
    method = found.method if own else DICE
    order = found.order(method)
    rows = _rows(found, data, order)
    title = f"{run.folder.run_id}: most suspicious of {len(rows)} training masks, by {method}"
    print(title)
    print(_table(rows[: options.top]))
    detected = detections(found, data.manifest)
    if detected:
        print("\nFinding the masks that noise has changed")
        print(_table([asdict(one) for one in detected]))
    if options.out:
        write_csv(options.out, rows)
        print(f"\nAll of them are in {options.out}")
    if options.sheet:
        _draw(options.sheet, data, found, order[: options.count], title)
        print(f"The first are shown in {options.sheet}")
    return 0


def _check_out(path: Path) -> None:
    """Refuse to overwrite what is no ranking of suspects, such as a run's own images.csv.

    Raises:
        FileExistsError: it is there.
    """
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as file:
            header = file.readline()
        if not header.startswith("rank,id,"):
            raise FileExistsError(f"{path} exists and is not a list of suspects. Name another file")


def _moved(run: "FinishedRun", root: str | None) -> "FinishedRun":
    """The run with its images at another place, if one is given.

    Raises:
        ConfigError: its images are drawn.
    """
    if root is None:
        return run
    dataset = run.settings.dataset
    if dataset.source.get("root") is None:
        raise ConfigError(
            f"dataset.root={root}: the images of {run.folder.run_id} are synthetic and have no "
            "folder; leave it out"
        )
    moved = dataset.changed(root=root, source=dataset.source.changed(root=root))
    return replace(run, settings=run.settings.changed(dataset=moved))


def _rows(found: "Beliefs", data: "RunData", order: "np.ndarray") -> list[dict[str, object]]:
    """One row a training mask, the least believed first."""
    noisy = any(row["dice"] < 1 for row in data.manifest)
    rows = []
    for rank, at in enumerate(order, start=1):
        row: dict[str, object] = {"rank": rank, "id": data.train.ids[found.at[at]]}
        row |= {"class": found.classes[at]} if data.classes else {}
        for method, doubt in found.doubt.items():
            row[f"doubt ({method})"] = float(doubt[at])
        if noisy:
            done = data.manifest[at]
            row |= {"noise": done["type"], "dice_of_noise": float(done["dice"])}
        rows.append(row)
    return rows


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows in columns; each has the keys of the first."""
    return aligned([list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)])


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _draw(path: Path, data: "RunData", found: "Beliefs", chosen: "np.ndarray", title: str) -> None:
    """A contact sheet of masks and what the network predicts."""
    import numpy as np

    from robustseg.noise.contact_sheet import NOISY, PREDICTED, outline_sheet

    kinds = [data.manifest[at]["type"] for at in chosen]
    texts = []
    for rank, (at, kind) in enumerate(zip(chosen, kinds, strict=True), start=1):
        parts = [found.classes[at], "" if kind == "clean" else kind, f"Dice {found.dice[at]:.2f}"]
        texts.append(f"{rank}. {' · '.join(filter(None, parts))}")
    images = found.at[chosen]
    values = [[data.classes.index(found.classes[at]) + 1 if data.classes else 1] for at in chosen]
    of_class = np.array(values, np.uint8)[:, :, None]
    outlines = {
        "mask given": (NOISY, (data.noisy[images] == of_class).astype(np.uint8)),
        "prediction": (PREDICTED, (found.predicted[images] == of_class).astype(np.uint8)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    outline_sheet(
        path,
        data.train.images[images],
        outlines,
        list(zip(texts, (data.train.ids[at] for at in images), strict=True)),
        title=title,
    )
