"""Two processes with a batch each against one with both."""

import pytest
import torch
from torch import distributed, nn

from robustseg import losses
from tests.program import FORK

LOSSES = {
    "dice": losses.DiceLoss(domain="batch"),
    "dice of classes": losses.DiceLoss(domain="batch", classes="macro"),
    "l1": losses.JaccardLoss(domain="batch", soft_target="l1"),
    "tversky": losses.TverskyLoss(0.3, 0.7, 1.0, "batch"),
    "focal tversky": losses.FocalTverskyLoss(domain="batch"),
    "noise-robust dice": losses.NoiseRobustDiceLoss(domain="batch"),
    "jaccard metric": losses.JaccardMetricLoss(domain="batch"),
    "lovasz": losses.LovaszHingeLoss(domain="batch"),
    "dice and ce": losses.DiceCELoss(domain="batch"),
}
SHARES = {
    "equal": (slice(0, 3), slice(3, 6)),
    "unequal": (slice(0, 1), slice(1, 6)),
}
# of the gather (Lovász) and of the mean over images (CE) equal batches are asked
EQUAL_ONLY = ("lovasz", "dice and ce")
CASES = [(k, n) for k in SHARES for n in LOSSES if k == "equal" or n not in EQUAL_ONLY]


def data(classes):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(6, 2, 5, 5, generator=generator, dtype=torch.float64)
    target = (torch.rand(6, classes, 5, 5, generator=generator) > 0.7).double()
    target[0] = 0  # in the image domain it would weigh as much as the others
    return images, target


def network(classes):
    torch.manual_seed(0)
    return nn.Conv2d(2, classes, 1).double()


def value_and_gradient(loss, model, images, target):
    value = loss(model(images), target)
    value.backward()
    return value.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])


def classes_of(name):
    return 3 if "classes" in name else 1


def work(rank, store, results):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    found = {}
    for kind, name in CASES:
        images, target = (tensor[SHARES[kind][rank]] for tensor in data(classes_of(name)))
        model = nn.parallel.DistributedDataParallel(network(classes_of(name)))
        found[kind, name] = value_and_gradient(LOSSES[name], model, images, target)
    torch.save(found, f"{results}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two processes found, by kind of shares and loss."""
    folder = tmp_path_factory.mktemp("ranks")
    arguments = folder / "store", folder
    processes = [FORK.Process(target=work, args=(rank, *arguments)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.parametrize("kind, name", CASES)
def test_batch_domain_is_the_global_batch(kind, name, ranks):
    model, (images, target) = network(classes_of(name)), data(classes_of(name))
    expected, gradient = value_and_gradient(LOSSES[name], model, images, target)
    for rank in ranks:
        value, averaged = rank[kind, name]
        torch.testing.assert_close(averaged, gradient, rtol=1e-8, atol=1e-12)
        if name != "dice and ce":  # whose cross-entropy is that of the process
            torch.testing.assert_close(value, expected)


def test_image_domain_would_not_do():
    images, target = data(1)
    model = network(1)
    whole, _ = value_and_gradient(losses.DiceLoss(domain="image"), model, images, target)
    pooled, _ = value_and_gradient(losses.DiceLoss(domain="batch"), model, images, target)
    assert abs(whole - pooled) > 1e-3
