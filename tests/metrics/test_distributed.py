import json
import subprocess
import sys

import pytest
import torch

from robustseg.metrics import AveragePrecision, ExpectedCalibrationError, SegmentationMetrics

SHARE = """
import json, sys
import torch
import torch.distributed as dist
from robustseg.metrics import AveragePrecision, ExpectedCalibrationError, SegmentationMetrics

rank, folder = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
logits, target = torch.load(f"{folder}/batch.pt")
mine = torch.arange(rank, 6, 2) % 5
metrics = [SegmentationMetrics(distances=True), AveragePrecision(), ExpectedCalibrationError()]
metrics[0].update(logits[mine], target[mine], mine)
once = mine[: 3 - rank]
for metric in metrics[1:]:
    metric.update(logits[once], target[once])
rows = {name: column.tolist() for name, column in metrics[0].rows().items()}
print(json.dumps([rows, *(metric.compute() for metric in metrics)]))
"""


def test_two_processes_find_what_one_finds(tmp_path):
    """A distributed sampler of 5 images over 2 processes: the first image is seen twice."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 1, 16, 16, generator=generator)
    target = (torch.rand(5, 1, 16, 16, generator=generator) < 0.4).to(torch.uint8)
    torch.save((logits, target), tmp_path / "batch.pt")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SHARE, str(rank), str(tmp_path)], stdout=subprocess.PIPE
        )
        for rank in (0, 1)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    metrics = [SegmentationMetrics(distances=True), AveragePrecision(), ExpectedCalibrationError()]
    for metric in metrics:
        metric.update(logits, target)
    rows = {name: column.tolist() for name, column in metrics[0].rows().items()}
    for output in outputs:
        found_rows, *found = json.loads(output)
        assert found_rows == rows
        for value, metric in zip(found, metrics, strict=True):
            assert value == pytest.approx(metric.compute(), nan_ok=True, rel=1e-12)
