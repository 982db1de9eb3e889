"""The README.md of a record."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from robustseg.records.record import Record
from robustseg.records.recorded_run import RecordedRun
from robustseg.runs.files import write_text
from robustseg.terminal.printable import printable

_DRAWN = "drawn by robustseg; Apache-2.0"
# Licence and citation, by `dataset=`.
_DATA = {
    "isic2017": "images CC-0, masks of the test images CC BY-NC; "
    "Codella et al., arXiv 1710.05006; https://challenge.isic-archive.com/data/#2017",
    "shenzhen": "films of the National Library of Medicine (Jaeger et al. 2014), masks "
    "CC BY-NC-SA; https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/",
    "histopathology": "tiles that the user chose, under the licence of their set; for EBHI-Seg: "
    "CC BY 4.0, Shi et al. 2023, arXiv 2212.00532; for BCSS: CC0",
    "folder": "the user's own",
    "synthetic": _DRAWN,
    "synthetic_chest": _DRAWN,
    "synthetic_chest_classes": _DRAWN,
    "synthetic_histopathology": _DRAWN,
}

_TEXT = """# A record of {count}

The numbers of finished runs of robustseg, without weights and images: what its tables, significance tests, intervals and curves are made of. The program wrote these files, this one too; it adds new ones and never changes one that is there.

```
robustseg table{experiment} --runs {name}       # also: figures, report, results, status
robustseg runs merge {name} OTHER -o BOTH
```

| experiment | runs |
|---|--:|
{experiments}

| data set | runs | image ids | licence and citation |
|---|--:|---|---|
{data}

No image is in here. A row of numbers for each test image is; an id that is a hash is one of data that are not public, and is the same in all records of the same files.

## Files

`record.json` lists the parts with their checksums and the runs in each. A part is a Parquet file (zstd) named by its content. Parts that were packed together belong together.

`runs/`: a row per run.

| column | what | unit |
|---|---|---|
| `run_id` | data set, loss, noise, seed, and a hash of all settings and of the data | |
| `dataset`, `loss`, `alpha`, `beta`, `seed`, … | labels that tables group by; `alpha` is the share of noisy masks, `beta` the error of one | share |
| `labels`, `settings`, `experiments`, `versions`, `started` | JSON; `settings` holds all that can change a result | |
| `fingerprint` | SHA-256 over the data; over that where image ids are hashed | |
| `data_folder` | name of the folder of the data; not kept where image ids are hashed | |
| `processor`, `threads`, `precision`, `commit`, `finished` | what it was trained with, and when | |
| `train_seconds`, `evaluation_seconds`, `processor_seconds`, `peak_memory_mb` | cost, where it was measured; processor seconds are those of the process, training and evaluation together | s, s, s, MB |
| `dice_image`, `dice_pooled`, `jaccard_image`, … | final numbers: means over the last evaluations on the test images | 0 to 1 |
| `hd95` | 95th percentile of the distance between outlines | share of the image's diagonal |

`epochs/`: `run_id`, `epoch`, losses, learning rate, Dice of training and test images, `seconds`. `thresholds/`, where it was recorded: test Dice by threshold of the probability.

`images/`: a row per test image and reported evaluation: `run_id`, `epoch`, `id`, `case` (where several test images are of one patient or slide), `class` (always missing), pixels `tp`, `fp`, `fn`, `tn`, `hd95`, of several classes with the name of the class behind them, such as `tp/heart`; with a held-out split also `fp_tuned`, `fn_tuned` at the threshold that fits it best (`tp_tuned` is tp + fn − fn_tuned, `tn_tuned` is fp + tn − fp_tuned). Dice is 2 tp / (2 tp + fp + fn), and 1 where both masks are empty.

What is missing was not recorded; NaN is not defined.

## Reading it

```python
import json
from pathlib import Path

import pandas as pd

record = Path("{name}")
packings = json.loads((record / "record.json").read_text())["packings"]


def read(kind):  # parts of different times may have different columns
    frames, seen = [], set()
    for packing in packings:
        for part in packing["parts"]:
            if part["kind"] == kind:
                rows = pd.read_parquet(record / part["file"])
                frames.append(rows[~rows.run_id.isin(seen)])  # a run may be packed twice
        seen.update(packing["runs"])
    return pd.concat(frames)


runs = read("runs")
runs[runs.alpha > 0].groupby(["loss", "alpha", "beta"]).dice_image.agg(["mean", "std", "count"])

images = read("images")
epochs = read("epochs")
```

or, with what the program knows (checksums, runs that are there twice): `from robustseg.results.load import load_runs; load_runs("{name}")`.
"""


def write_readme(record: Path) -> None:
    """Write README.md of what a record holds now."""
    found = Record(record).runs()
    runs = {run.run_id: run for run in reversed(found)}
    # A run that was packed again, for another experiment, belongs to both.
    belongs = {(name, run.run_id) for run in found for name in run.finished.experiments}
    joined = Counter(name for name, _ in belongs)
    experiments = sorted(joined.items()) or [("none", len(runs))]
    only = f" {experiments[0][0]}" if len(joined) == 1 else ""
    text = _TEXT.format(
        count=f"{len(runs)} run{'' if len(runs) == 1 else 's'}",
        name=record.resolve().name,
        experiment=only,
        experiments="\n".join(f"| {_cell(name)} | {count} |" for name, count in experiments),
        data="\n".join(_data(list(runs.values()))),
    )
    write_text(record / "README.md", text)


def _data(runs: Sequence[RecordedRun]) -> list[str]:
    lines = []
    for name in sorted({str(run.finished.labels["dataset"]) for run in runs}):
        own = [run for run in runs if run.finished.labels["dataset"] == name]
        kinds = sorted({"hashes" if run.hashed else "plain" for run in own})
        known = _DATA.get(name, "not known to the program")
        lines.append(f"| {_cell(name)} | {len(own)} | {' and '.join(kinds)} | {known} |")
    return lines


def _cell(text: str) -> str:
    """A name from a file, which must not end the table, be markup or command a terminal."""
    return "`" + "".join("·" if one in "`|" else one for one in printable(text)) + "`"
