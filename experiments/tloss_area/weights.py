"""How the weight of a training mask depends on its area, at the end of runs with a T-Loss.

Prints, for each run, the slope of ln weight over ln area of the given mask, over the training
masks with foreground, and for each quarter of them by that area: the median weight, and the share
in Σ w √S, the norms of the gradients in the residuals. Then the median weight of each type of
mask, relative to that of the clean ones. Needs folders of runs with their weights.

    python experiments/tloss_area/weights.py runs/RUN … dataset.root=…
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from robustseg.metrics.size_quarters import QUARTERS, quarters

ROOT = Path(__file__).parents[2]


def weights(run: Path, settings: list[str]) -> pd.DataFrame:
    """The training masks of a run: type, area, weight w, and w √S."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "masks.csv"
        call = [sys.executable, "-m", "robustseg", "suspects", str(run), *settings, "-o", table]
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        masks = pd.read_csv(table).merge(pd.read_csv(run / "noise.csv"), on="id")
    masks["weight"] = 1 / masks["doubt (T-Loss weight)"]
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    name, pixels = metrics["run"]["loss"], int(metrics["run"]["image_size"]) ** 2
    if name not in ("tloss", "tloss_area"):
        sys.exit(f"{run}: loss={name}; this is for tloss and tloss_area")
    dimension = np.full(len(masks), pixels)
    if name == "tloss_area":
        dimension = masks["area_noisy"].clip(lower=metrics["settings"]["loss"]["floor"] * pixels)
    masks["norm"] = np.sqrt(masks["weight"] * dimension)  # w √S, for w = D/S and ν much below S
    return masks[masks["area_noisy"] > 0]


def main() -> None:
    """Print the tables."""
    runs = [Path(word).absolute() for word in sys.argv[1:] if "=" not in word]
    settings = [word for word in sys.argv[1:] if "=" in word]
    if not runs:
        sys.exit((__doc__ or "").rstrip())
    by_size, by_type = {}, {}
    for run in runs:
        masks = weights(run, settings)
        slope, _ = np.polyfit(np.log(masks["area_noisy"]), np.log(masks["weight"]), 1)
        parts = masks.groupby(quarters(masks["area_noisy"]))
        medians, share = parts["weight"].median(), parts["norm"].sum() / masks["norm"].sum()
        by_size[run.name] = {"slope": slope}
        for name in QUARTERS:
            by_size[run.name][name] = f"{medians[name]:.2f} ({share[name]:.0%})"
        of_type = masks.groupby("type")["weight"].median()
        by_type[run.name] = of_type / of_type["clean"]
    print("Slope of ln weight over ln area; median weight (share) by quarter of area")
    print(pd.DataFrame(by_size).T.to_string())
    print("Median weight by type of mask, relative to clean ones")
    print(pd.DataFrame(by_type).T.round(2).to_string())


if __name__ == "__main__":
    main()
