"""Two processes with a batch each against one with both."""

import socket

import pytest
import torch
from torch import distributed, multiprocessing, nn

from robustseg import losses

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
SHARES = {0: slice(0, 3), 1: slice(3, 6)}
UNEQUAL = {0: slice(0, 1), 1: slice(1, 6)}


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


def work(rank, port, shares, names, queue):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    results = {}
    for name in names:
        images, target = data(classes_of(name))
        model = nn.parallel.DistributedDataParallel(network(classes_of(name)))
        share = shares[rank]
        value, gradient = value_and_gradient(LOSSES[name], model, images[share], target[share])
        results[name] = (value.item(), gradient.tolist())
    queue.put((rank, results))
    distributed.barrier()
    distributed.destroy_process_group()


def two_processes(shares, names):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    queue = multiprocessing.get_context("spawn").SimpleQueue()
    context = multiprocessing.spawn(work, (port, shares, names, queue), nprocs=2, join=False)
    results = dict(queue.get() for _ in range(2))
    context.join()
    return results


@pytest.mark.parametrize("shares", [SHARES, UNEQUAL], ids=["equal", "unequal"])
def test_batch_domain_is_the_global_batch(shares):
    # of the gather (Lovász) and of the mean over images (CE) equal batches are asked
    equal_only = ("lovasz", "dice and ce")
    names = [n for n in LOSSES if shares is SHARES or n not in equal_only]
    ranks = two_processes(shares, names)
    for name in names:
        images, target = data(classes_of(name))
        expected, gradient = value_and_gradient(
            LOSSES[name], network(classes_of(name)), images, target
        )
        for rank in (0, 1):
            value, averaged = ranks[rank][name]
            if name != "dice and ce":  # whose cross-entropy is that of the process
                assert value == pytest.approx(expected.item(), rel=1e-10)
            assert averaged == pytest.approx(gradient.tolist(), rel=1e-8, abs=1e-12)


def test_image_domain_would_not_do():
    images, target = data(1)
    model = network(1)
    whole, _ = value_and_gradient(losses.DiceLoss(domain="image"), model, images, target)
    pooled, _ = value_and_gradient(losses.DiceLoss(domain="batch"), model, images, target)
    assert abs(whole - pooled) > 1e-3
