"""Training steps whose kernels are replayed as CUDA graphs, without torch.compile."""

import gc
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from robustseg.errors import ConfigError


def capture_graphs(module: nn.Module, arguments: tuple[Tensor]) -> Any:
    """Capture a module's forward and backward pass.

    Raises:
        ConfigError: PyTorch is too old.
        RuntimeError: the module does what cannot be captured.
    """
    if "capture_error_mode" not in inspect.signature(torch.cuda.make_graphed_callables).parameters:
        raise ConfigError(
            f"trainer.cuda_graphs=true needs a newer PyTorch than {torch.__version__}: update it, "
            "or take trainer.cuda_graphs=false"
        )
    gc.collect()  # graphs that an earlier run of this process has left hold memory
    # The loader's threads pin memory meanwhile, which must not end the capture.
    return torch.cuda.make_graphed_callables(module, arguments, capture_error_mode="thread_local")


class GraphedNetwork:
    """Replays a network's forward and backward pass of full training batches.

    On a GPU the host launches each kernel of a small network more slowly than it computes. A CUDA
    graph is launched as a whole, and holds the kernels that the network itself launches. The
    graphs are captured from the first full batch, in the precision of that step; smaller batches
    and evaluation go through the network itself.

    Args:
        network: (B, C, H, W) normalised images → logits; without hooks, and without a step that
            waits for the GPU.
        batch_size: images of a full batch.
        capture: makes the graphs of a module, given its arguments.

    Raises:
        ConfigError: in the first step, if the network cannot be captured.

    Example: ``GraphedNetwork(network, batch_size=16)(images)``.
    """

    def __init__(
        self,
        network: nn.Module,
        batch_size: int,
        capture: Callable[[nn.Module, tuple[Tensor]], Any] = capture_graphs,
    ) -> None:
        self._network = network
        self._batch_size = batch_size
        self._capture = capture
        self._replay: Callable[[Tensor], Tensor] | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """Logits of normalised images."""
        if not self._network.training or len(images) != self._batch_size:
            return self._network(images)
        if self._replay is None:
            self._replay = self._captured(images)
        return self._replay(images)

    def _captured(self, images: Tensor) -> Callable[[Tensor], Tensor]:
        # torch puts the graphs in the place of a module's forward, so it is given another module.
        with _untouched(self._network, images.device):
            self._network(images)  # what fails here fails without graphs, too
            try:
                return self._capture(_Around(self._network), (images.clone(),))
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                raise ConfigError(
                    "trainer.cuda_graphs=true: the network cannot be captured as CUDA graphs "
                    f"({error}). Take trainer.cuda_graphs=false"
                ) from error


class _Around(nn.Module):
    """A module with the parameters and buffers of another, and what it computes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)


@contextmanager
def _untouched(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Leave buffers and random numbers as they were: steps that warm up must not count."""
    before = [buffer.clone() for buffer in network.buffers()]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
    for buffer, value in zip(network.buffers(), before, strict=True):
        buffer.copy_(value)
