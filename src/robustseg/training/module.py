"""The LightningModule: a network, a loss, their optimiser and schedule."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from robustseg import IGNORED
from robustseg.models.normalisation import normalise
from robustseg.training.nu_plateau import NuPlateau


class SegmentationModule(pl.LightningModule):
    """Trains `network` on uint8 batches with `loss`.

    The loss is a submodule: its parameters (the T-Loss's ν) are trained in an optimiser group of
    their own and saved in the checkpoint. The schedule is stepped and saved here as well, so that
    a resumed run repeats it exactly.

    Args:
        network: (B, C, H, W) normalised images → (B, 1, H, W) foreground logits, or one per class.
        loss: (logits, target, ignore) → scalar.
        optimizer: makes an optimiser from parameter groups; the network's group comes first.
        loss_lr: learning rate of the loss's own parameters; None where it has none.
        scheduler: makes a schedule from the optimiser; None for a constant rate.
        channels_last: memory format of the network and its input.
        computed: does what the network does, by compiled or replayed code; None: the network.
        seed: of the run; layers that draw random numbers are reseeded from it at every epoch.
        has_ignored: whether masks have pixels that do not count (255).
        classes: of label maps, the background included; 1: masks are binary.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        optimizer: Callable[[Any], torch.optim.Optimizer],
        *,
        loss_lr: float | None = None,
        scheduler: Callable[[torch.optim.Optimizer], Any] | None = None,
        channels_last: bool = False,
        computed: Callable[[Tensor], Tensor] | None = None,
        seed: int = 0,
        has_ignored: bool = False,
        classes: int = 1,
    ) -> None:
        super().__init__()
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.format)
        self._computed = computed
        self.loss = loss
        self._make_optimizer = optimizer
        self._make_scheduler = scheduler
        self._loss_lr = loss_lr
        self._seed = seed
        self._has_ignored = has_ignored
        self._classes = classes
        self.scheduler: Any = None
        self._losses: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 1 or classes, H, W), float32, of uint8 images (B, H, W, C)."""
        network = self._computed or self.network
        return network(normalise(images).contiguous(memory_format=self.format)).float()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Loss of a batch of uint8 images (B, H, W, C) and masks (B, H, W)."""
        images, masks = batch
        logits = self(images)
        mask = masks.unsqueeze(1)
        ignore = mask == IGNORED if self._has_ignored else None
        if self._classes == 1:
            target = mask == 1
        else:
            target = mask == torch.arange(self._classes, device=mask.device).view(1, -1, 1, 1)
        loss = self.loss(logits, target.to(logits.dtype), ignore)
        self._losses.append(loss.detach())  # looked at once per epoch: no step waits for it
        return loss

    def take_losses(self) -> list[float]:
        """Losses of the steps since the last call."""
        losses = torch.stack(self._losses).tolist() if self._losses else []
        self._losses = []
        return losses

    @property
    def nu(self) -> float | None:
        """The T-Loss's ν; None with other losses."""
        return self._of_the_loss("nu")

    def _of_the_loss(self, name: str) -> float | None:
        """A number of the loss, or of what it regularises; None if it has none of this name."""
        for part in self.loss.modules():
            value = getattr(part, name, None)
            if isinstance(value, Tensor):
                return float(value.detach())
        return None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """One group for the network and one for the loss's own parameters."""
        groups: list[dict[str, Any]] = [{"params": list(self.network.parameters())}]
        own = list(self.loss.parameters())
        if own:
            if self._loss_lr is None:
                raise ValueError(
                    "the loss has parameters of its own: set loss.parameter_lr (in its YAML file, "
                    "or with +loss.parameter_lr=0.1)"
                )
            groups.append({"params": own, "lr": self._loss_lr, "weight_decay": 0.0})
        optimizer = self._make_optimizer(groups)
        if self._make_scheduler is not None:
            self.scheduler = self._make_scheduler(optimizer)
        return optimizer

    def on_train_epoch_start(self) -> None:
        """Dropout and the like draw from (seed, epoch), so a resumed run draws the same."""
        torch.manual_seed(self._seed * 1_000_003 + self.current_epoch)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Let the ν-plateau schedule look at ln ν every so many steps."""
        if isinstance(self.scheduler, NuPlateau) and self.scheduler.looks(self.global_step):
            log_nu = self._of_the_loss("log_nu")
            if log_nu is not None:
                self.scheduler.step(log_nu)

    def on_train_epoch_end(self) -> None:
        """Step the schedules that count epochs."""
        if self.scheduler is not None and not isinstance(self.scheduler, NuPlateau):
            self.scheduler.step()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the schedule beside the weights."""
        if self.scheduler is not None:
            checkpoint["scheduler"] = self.scheduler.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the schedule's state until the optimiser exists."""
        self._scheduler_state = checkpoint.get("scheduler")

    def on_fit_start(self) -> None:
        """Restore the schedule of a resumed run."""
        state = getattr(self, "_scheduler_state", None)
        if state is not None:
            self.scheduler.load_state_dict(state)
