import json

import pytest
import torch
from torch import distributed

from robustseg.metrics import AveragePrecision, ExpectedCalibrationError, SegmentationMetrics
from tests.program import FORK


def share(rank, folder):
    """What one of two processes finds."""
    meet = f"file://{folder}/meet"
    distributed.init_process_group("gloo", init_method=meet, rank=rank, world_size=2)
    logits, target = torch.load(folder / "batch.pt")
    mine = torch.arange(rank, 6, 2) % 5
    metrics = [SegmentationMetrics(distances=True), AveragePrecision(), ExpectedCalibrationError()]
    metrics[0].update(logits[mine], target[mine], mine)
    once = mine[: 3 - rank]
    for metric in metrics[1:]:
        metric.update(logits[once], target[once])
    rows = {name: column.tolist() for name, column in metrics[0].rows().items()}
    found = json.dumps([rows, *(metric.compute() for metric in metrics)])
    (folder / f"{rank}.json").write_text(found)
    distributed.destroy_process_group()


def test_two_processes_find_what_one_finds(tmp_path):
    """A distributed sampler of 5 images over 2 processes: the first image is seen twice."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 1, 16, 16, generator=generator)
    target = (torch.rand(5, 1, 16, 16, generator=generator) < 0.4).to(torch.uint8)
    torch.save((logits, target), tmp_path / "batch.pt")
    processes = [FORK.Process(target=share, args=(rank, tmp_path)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    metrics = [SegmentationMetrics(distances=True), AveragePrecision(), ExpectedCalibrationError()]
    for metric in metrics:
        metric.update(logits, target)
    rows = {name: column.tolist() for name, column in metrics[0].rows().items()}
    for rank in (0, 1):
        found_rows, *found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found_rows == rows
        for value, metric in zip(found, metrics, strict=True):
            assert value == pytest.approx(metric.compute(), nan_ok=True, rel=1e-12)
