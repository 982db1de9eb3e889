"""The data that a finished run was trained on."""

from pathlib import Path

from robustseg.data.prepare import RunData, prepare
from robustseg.errors import DataError
from robustseg.finished.evaluate import training_rows
from robustseg.finished.load import FinishedRun
from robustseg.runs.files import trouble


def training_data(run: FinishedRun, cache: Path) -> RunData:
    """The images and masks that a run was trained on, made again from its configuration.

    Args:
        run: the run; `dataset.root` in its configuration is where its images are now.
        cache: folder of decoded images.

    Raises:
        DataError: the data is not there, or its images or masks are not those that the run wrote
            down.
    """
    dataset, noise = run.settings.dataset, run.settings.noise
    data = prepare(run.build("dataset.source"), cache, dataset, noise, run.build("noise.model"))
    try:
        trained = [(row["id"], row["sha256"]) for row in run.folder.read_rows(run.folder.manifest)]
    except (OSError, ValueError) as error:
        raise DataError(f"{run.folder.manifest} {trouble(error)}") from error
    except KeyError as error:
        raise DataError(f"{run.folder.manifest} is damaged: no column {error}") from error
    if trained != [(row["id"], row["sha256"]) for row in data.manifest]:
        raise DataError(
            f"the masks at {dataset.root} are not those that {run.folder.run_id} was "
            f"trained on ({run.folder.manifest.name} differs). Give its data with dataset.root=…"
        )
    here = {row["id"]: row["pixels"] for row in data.split_rows() if row["split"] == "train"}
    other = [
        row["id"]
        for row in training_rows(run)
        if "pixels" in row and here.get(row["id"]) != str(row["pixels"])
    ]
    if other:
        raise DataError(
            f"{len(other)} training images at {dataset.root}, such as {other[0]}, are not those "
            f"that {run.folder.run_id} was trained on ({run.folder.split.name} has other "
            "checksums). Give its data with dataset.root=…"
        )
    return data
