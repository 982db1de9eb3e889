"""Which batches are replayed; capturing leaves no trace. `make test-gpu` has real graphs."""

import pytest
import torch
from torch import nn

from robustseg.configuration.checks import resolve
from robustseg.errors import ConfigError
from robustseg.training.build import build_module
from robustseg.training.graphed import GraphedNetwork, capture_graphs

BATCH = 4


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 1, 1)
    )


class Capture:
    """Warms up as torch does, and then computes; it remembers for what."""

    def __init__(self):
        self.sizes = []

    def __call__(self, module, arguments):
        for _ in range(3):
            output = module(*arguments)
            torch.autograd.grad(output, tuple(module.parameters()), torch.ones_like(output))

        def replay(images):
            self.sizes.append(len(images))
            return module(images)

        return replay


def learn(trained, computed):
    """Losses of some steps, and the weights and buffers after them."""
    drawn = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(trained.parameters(), 0.01)
    torch.manual_seed(2)
    losses = []
    for size in [BATCH, BATCH, 2] * 6 + [BATCH, BATCH]:
        images = torch.rand(size, 3, 8, 8, generator=drawn)
        loss = (computed(images) - images.mean(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, trained.state_dict()


def test_twenty_steps_are_those_of_the_network_itself():
    alone, replayed, capture = network(), network(), Capture()
    losses, state = learn(alone, alone)
    again, state_again = learn(replayed, GraphedNetwork(replayed, BATCH, capture))
    assert again == losses
    assert state.keys() == state_again.keys()
    assert all(torch.equal(state[name], state_again[name]) for name in state)
    assert capture.sizes == [BATCH] * 14


def test_evaluation_and_smaller_batches_are_not_replayed():
    trained, capture = network(), Capture()
    computed = GraphedNetwork(trained, BATCH, capture)
    computed(torch.rand(2, 3, 8, 8))
    trained.eval()
    images = torch.rand(BATCH, 3, 8, 8)
    assert torch.equal(computed(images), trained(images))
    assert capture.sizes == []
    trained.train()
    computed(images)
    assert capture.sizes == [BATCH]


def test_capturing_leaves_buffers_and_random_numbers_as_they_were():
    trained = network()

    def warm(module, arguments):
        Capture()(module, arguments)
        return lambda images: images

    before = {name: value.clone() for name, value in trained.named_buffers()}
    torch.manual_seed(5)
    GraphedNetwork(trained, BATCH, warm)(torch.rand(BATCH, 3, 8, 8))
    drawn = torch.rand(1)
    torch.manual_seed(5)
    torch.rand(BATCH, 3, 8, 8)
    assert torch.equal(drawn, torch.rand(1))
    assert all(torch.equal(before[name], value) for name, value in trained.named_buffers())


def test_a_network_that_cannot_be_captured_is_reported_with_the_setting():
    def refuse(module, arguments):
        raise RuntimeError("operation not permitted when stream is capturing")

    computed = GraphedNetwork(network(), BATCH, refuse)
    with pytest.raises(ConfigError, match=r"not permitted when .*Take trainer\.cuda_graphs=false"):
        computed(torch.rand(BATCH, 3, 8, 8))


def test_other_errors_are_not_the_capture_s():
    def full(module, arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        GraphedNetwork(network(), BATCH, full)(torch.rand(BATCH, 3, 8, 8))
    with pytest.raises(RuntimeError, match="channels") as raised:
        GraphedNetwork(network(), BATCH, Capture())(torch.rand(BATCH, 1, 8, 8))
    assert not isinstance(raised.value, ConfigError)


def test_graphs_are_captured_while_other_threads_pin_memory(monkeypatch):
    given = []

    def graphed(module, arguments, capture_error_mode="global"):
        given.append(capture_error_mode)

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", graphed)
    capture_graphs(network(), (torch.rand(1),))
    assert given == ["thread_local"]
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", lambda module, arguments: None)
    with pytest.raises(ConfigError, match="needs a newer PyTorch"):
        capture_graphs(network(), (torch.rand(1),))


def test_a_module_computes_with_it(tiny):
    settings = resolve(tiny("trainer.max_epochs=1"))
    trainer = settings.trainer.changed(cuda_graphs=True)
    module = build_module(settings.changed(trainer=trainer), 3)
    assert isinstance(module._computed, GraphedNetwork)
    assert module._computed._network is module.network
    assert module._computed._batch_size == settings.dataset.batch_size
