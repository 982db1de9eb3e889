"""Which batches go through compiled code, and which runs share it."""

import gc
import weakref
from functools import partial

import pytest
import torch
from torch import nn

from robustseg.configuration.checks import resolve
from robustseg.training import compiled
from robustseg.training.build import build_module
from robustseg.training.compiled import CompiledNetwork

SMALL = ["trainer.compile=true", "evaluation.batch_size=3"]  # training batches are of 4


class Compiler:
    """A backend of torch.compile that changes nothing, and counts."""

    def __init__(self):
        self.graphs = self.calls = 0

    def __call__(self, graph, inputs):
        self.graphs += 1

        def call(*arguments):
            self.calls += 1
            return graph.forward(*arguments)

        return call


class Broken(nn.Module):
    """A network that cannot be compiled as a whole."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images):
        images = images * self.weight
        torch._dynamo.graph_break()
        images = images + self.weight
        torch._dynamo.graph_break()
        return images * self.weight


@pytest.fixture
def compiler(monkeypatch):
    compiled._forget()
    backend = Compiler()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    yield backend
    compiled._forget()


@pytest.fixture
def build(tiny):
    return lambda *overrides: build_module(resolve(tiny(*SMALL, *overrides)), 3)


def images(count, side=32):
    return torch.zeros(count, side, side, 3, dtype=torch.uint8)


def use(module, sizes=(4, 3)):
    """Call a network with a full batch in training and one in evaluation."""
    for training, size in zip((True, False), sizes, strict=True):
        module.train(training)
        with torch.inference_mode(not training):
            module(images(size))


def test_full_batches_alone_are_compiled(build, compiler):
    module = build()
    calls = []
    for training, size in [(True, 2), (True, 3), (True, 4), (True, 5), (False, 4), (False, 3)] * 2:
        before = compiler.calls
        module.train(training)(images(size))
        if compiler.calls > before:
            calls.append((training, size))
    assert calls == [(True, 4), (False, 3)] * 2
    assert compiler.graphs == 2  # batches of no other size made torch compile again


def test_a_compiled_network_has_the_names_and_values_of_another(build, compiler):
    module, plain = build(), build("trainer.compile=false")
    assert module.state_dict().keys() == plain.state_dict().keys()
    for size in (2, 4):
        drawn = torch.randint(0, 256, (size, 32, 32, 3), dtype=torch.uint8)
        assert torch.equal(module(drawn), plain(drawn))
    assert compiler.calls == 1


def test_runs_of_one_shape_are_compiled_once(build, compiler):
    for overrides in (["seed=0"], ["seed=1", "loss=mae"], ["seed=2", "optimizer=sgd"]):
        use(build(*overrides))
    assert compiler.graphs == 2


@pytest.mark.parametrize("evaluated", [False, True])
def test_a_run_has_its_own_weights(build, compiler, evaluated):
    """The network of one before is not even kept in memory."""
    first = build("seed=1")
    use(first)
    gone = weakref.ref(first.network)
    second, plain = build("seed=2"), build("seed=2", "trainer.compile=false")
    size = 3 if evaluated else 4
    drawn = torch.randint(0, 256, (size, 32, 32, 3), dtype=torch.uint8)
    both = [one.train(not evaluated)(drawn) for one in (second, plain)]
    assert torch.equal(*both)
    del first
    gc.collect()
    assert gone() is None
    if not evaluated:
        both[0].sum().backward()
        assert all(weight.grad is not None for weight in second.network.parameters())


@pytest.mark.parametrize(
    "override",
    [
        "model.features=[4,12]",
        "dataset.image_size=64",
        "dataset.batch_size=5",
        "evaluation.batch_size=5",
        "trainer.precision=bf16-mixed",
        "trainer.channels_last=true",
        "trainer.threads=2",
        "dataset.classes=[background,left,right]",
    ],
)
def test_another_shape_drops_the_code(build, compiler, monkeypatch, override):
    """Also where torch would see that it does not fit, since it counts what it keeps."""
    plain = ["trainer.precision=32-true", "trainer.channels_last=false", "trainer.threads=1"]
    build(*plain)
    dropped = []
    monkeypatch.setattr(torch._dynamo, "reset", lambda: dropped.append(1))
    build(*plain, "seed=3", "loss=ce", "noise.alpha=0.5")
    build(*plain, "trainer.compile=false", override)
    assert not dropped
    build(*plain, override, "loss=ce")
    assert dropped


def test_cuda_graphs_are_never_kept(tiny, compiler, monkeypatch):
    settings = resolve(tiny(*SMALL))
    graphs = settings.changed(trainer=settings.trainer.changed(compile="graphs"))
    reset, dropped = torch._dynamo.reset, []
    monkeypatch.setattr(torch._dynamo, "reset", lambda: dropped.append(reset()))
    for number, one in enumerate((graphs, graphs, settings, graphs), 1):
        build_module(one, 3)
        assert len(dropped) == number


def test_a_network_in_pieces_is_compiled_for_each_run(tiny, compiler):
    """Its code might reach the limit at which torch stops compiling."""
    settings, counts = resolve(tiny(*SMALL)), []
    for _ in range(12):
        before = compiler.graphs
        CompiledNetwork(Broken(), settings, in_channels=3)(torch.ones(4, 3, 8, 8))
        counts.append(compiler.graphs - before)
    assert counts == [3] * 12


def test_every_run_of_a_process_is_compiled(build, compiler):
    """More of them than torch compiles versions of one class."""
    for width in range(1, 11):
        before = compiler.graphs
        use(build(f"model.features=[{width},{2 * width}]"))
        assert compiler.graphs == before + 2


def test_a_failure_drops_the_code(build, compiler):
    use(build())
    with pytest.raises(KeyboardInterrupt), compiled.forgotten_on_failure():
        raise KeyboardInterrupt
    use(build())
    assert compiler.graphs == 4
