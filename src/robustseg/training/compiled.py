"""Networks that go through torch.compile, once a process for all runs of one shape."""

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
    """Calls a network: compiled with full batches, as it is with others.

    Code is compiled for one shape and depends on nothing else. Smaller batches, at the end of a
    pass, would need code of their own, or code for batches of any size. torch makes the latter at
    the first of them and takes it for full batches, too, from then on: a resumed run, or the
    second of a process, would round differently.

    torch keeps compiled code by class and looks, at each call, whether it fits the network: its
    structure, settings, mode, and shapes and formats of its weights, which are inputs of the code.
    So the next run of a shape takes the code that is there, and no weight of a run before.

    Args:
        network: (B, C, H, W) normalised images → logits.
        settings: of the run; `trainer.compile` is true or "graphs".
        weights: what is added to the settings to build the network.

    Example: ``CompiledNetwork(network, settings, in_channels=3)(images)``.
    """

    def __init__(self, network: nn.Module, settings: Settings, **weights: int) -> None:
        graphs = settings.trainer.compile == "graphs"
        _keep(None if graphs else _shape(settings, weights))  # a CUDA graph has fixed addresses
        mode = "reduce-overhead" if graphs else None
        self._network = network
        self._compiled = torch.compile(network, mode=mode, dynamic=False).__call__
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


def _shape(settings: Settings, weights: dict[str, int]) -> Any:
    """What compiled code depends on."""
    trainer = settings.trainer
    return (
        settings.model.arguments(),
        weights,
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

    It is dropped, too, if it has more graphs than such a network needs: they would count towards
    the limit at which torch stops compiling.
    """
    if shape is None or not _kept or _kept[0].shape != shape or _graphs() > _GRAPHS:
        _forget()
    if shape is not None and not _kept:
        _kept.append(_Kept(shape, _compiled_so_far()))


def _graphs() -> int:
    """How many graphs were compiled since code is kept."""
    return _compiled_so_far() - _kept[0].before


def _compiled_so_far() -> int:
    from torch._dynamo.utils import counters

    return counters["stats"]["unique_graphs"]


def _forget() -> None:
    torch._dynamo.reset()
    _kept.clear()
