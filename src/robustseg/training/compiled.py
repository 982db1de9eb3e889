"""Networks that go through torch.compile, whose code the runs of a process share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from robustseg.settings import Settings

_GRAPHS = 2  # that a network needs: one to train, one to evaluate


class _Kept(NamedTuple):
    """Compiled code that torch keeps: what it is for, and how many graphs there were before it."""

    shape: Any
    before: int


_kept: list[_Kept] = []  # one at most


class CompiledNetwork:
    """Computes full batches with compiled code, and others with the network itself.

    Code is compiled for one shape and depends on nothing else. By default torch compiles code for
    any number of images when it meets a second number, a smaller last batch, and takes it for full
    batches too from then on: a resumed run, or the second of a process, would round differently.

    torch keeps code by class, and checks at each call that it fits the network: its structure,
    attributes and mode, and shape and format of the weights, which are inputs of the code. So a
    run takes the code that an earlier one of the same shape has left, but no weights of it.

    Args:
        network: (B, C, H, W) normalised images → logits.
        settings: of the run; `trainer.compile` is true or "graphs" (which replays the code as CUDA
            graphs, without waiting for the host to launch each kernel).
        channels: what the network was built with beside the settings, such as in_channels=3.

    Example: ``CompiledNetwork(network, settings, in_channels=3)(images)``.
    """

    def __init__(self, network: nn.Module, settings: Settings, **channels: int) -> None:
        graphs = settings.trainer.compile == "graphs"
        _keep(None if graphs else _shape(settings, channels))  # CUDA graphs hold their weights
        mode = "reduce-overhead" if graphs else None
        self._network = network
        self._compiled = torch.compile(network, mode=mode, dynamic=False)
        self._training = settings.dataset.batch_size
        self._evaluation = settings.evaluation.batch_size

    def __call__(self, images: Tensor) -> Tensor:
        """Logits of normalised images."""
        full = self._training if self._network.training else self._evaluation
        call = self._compiled if len(images) == full else self._network
        return call(images)


@contextmanager
def forgotten_on_failure() -> Iterator[None]:
    """Drop compiled code if the run that uses it does not end well."""
    try:
        yield
    except BaseException:
        if _kept:
            _forget()
        raise


def _shape(settings: Settings, channels: dict[str, int]) -> Any:
    """What compiled code depends on."""
    trainer = settings.trainer
    return (
        settings.model.arguments(),
        channels,
        settings.dataset.image_size,
        settings.dataset.batch_size,
        settings.evaluation.batch_size,
        trainer.accelerator,
        trainer.precision,
        trainer.channels_last,
        trainer.threads,
    )


def _keep(shape: Any) -> None:
    """Keep the code that is there if it is for this shape, else drop it.

    That of a network in more pieces is dropped as well: torch stops compiling at a number of
    versions of a piece, and how many there are must not depend on earlier runs.
    """
    if shape is None or not _kept or _kept[0].shape != shape or _graphs() > _GRAPHS:
        _forget()
    if shape is not None and not _kept:
        _kept.append(_Kept(shape, _compiled_so_far()))


def _graphs() -> int:
    """How many graphs were compiled since code was last dropped."""
    return _compiled_so_far() - _kept[0].before


def _compiled_so_far() -> int:
    from torch._dynamo.utils import counters

    return counters["stats"]["unique_graphs"]


def _forget() -> None:
    torch._dynamo.reset()
    _kept.clear()
