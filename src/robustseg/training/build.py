"""The parts of a run, built from its settings."""

import inspect
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from torch import Tensor

from robustseg.errors import ConfigError
from robustseg.losses.regularizers import Regularized
from robustseg.noise import unfit
from robustseg.settings import Settings
from robustseg.training.build_part import build_part
from robustseg.training.compiled import CompiledNetwork
from robustseg.training.graphed import GraphedNetwork
from robustseg.training.module import SegmentationModule
from robustseg.training.nu_plateau import NuPlateau


def rehearse(settings: Settings, in_channels: int) -> None:
    """Build every part once, so that a constructor refuses before any file is made.

    Raises:
        InstantiationException: a constructor refuses its arguments.
        ConfigError: the noise is not one for such masks, or an optimiser or schedule cannot be
            built, or does not count epochs.
    """
    classes = settings.dataset.classes
    model = build_part("noise.model", settings.noise.model)
    if trouble := unfit(model, None if classes is None else len(classes)):
        raise ConfigError(trouble)
    transforms(settings)
    module = build_module(settings, in_channels)
    _try_loss(settings, module)
    chosen = f"optimizer={settings.optimizer.name} scheduler={settings.scheduler.name}"
    try:
        module.configure_optimizers()
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{chosen}: {error}") from error
    if lacking := _lacks(module.scheduler):
        raise ConfigError(
            f"{chosen}: its step needs {lacking}; a schedule has to count epochs by itself"
        )


def _try_loss(settings: Settings, module: SegmentationModule) -> None:
    """Call loss and regulariser once, as training does.

    Raises:
        ConfigError: they take other arguments, lack `image_scale` or give no scalar.
    """
    chosen = f"loss={settings.loss.name} regularizer={settings.regularizer.name}"
    channels = len(settings.dataset.classes or [""])
    side = settings.dataset.image_size
    logits = torch.zeros(2, channels, side, side)
    target = torch.zeros_like(logits)
    target[:, -1, : side // 2] = 1
    if channels > 1:
        target[:, 0] = 1 - target[:, -1]
    try:
        value = module.loss(logits, target, None)
    except (TypeError, AttributeError) as error:
        raise ConfigError(
            f"{chosen}: {error}. A loss takes logits, target and ignore, a mask or None; beside "
            "a penalty it needs an attribute image_scale"
        ) from error
    if not isinstance(value, Tensor) or value.ndim:
        given = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ConfigError(f"{chosen}: it gives {given}, and training needs a scalar tensor")


def _lacks(schedule: Any) -> str:
    """What a schedule has to be given at each step, which nothing here gives."""
    if schedule is None or isinstance(schedule, NuPlateau):
        return ""
    parameters = inspect.signature(schedule.step).parameters.values()
    needed = (one for one in parameters if one.default is one.empty)
    return ", ".join(one.name for one in needed if one.kind is one.POSITIONAL_OR_KEYWORD)


def build_module(
    settings: Settings, in_channels: int, has_ignored: bool = False
) -> SegmentationModule:
    """Network, loss, optimiser and schedule; initial weights are drawn from the seed."""
    pl.seed_everything(settings.seed, verbose=False)
    loss = Regularized(
        build_part("loss", settings.loss),
        build_part("regularizer", settings.regularizer),
    )
    optimizer, scheduler = settings.optimizer, settings.scheduler
    classes = len(settings.dataset.classes or [""])
    channels = {"in_channels": in_channels} | ({"classes": classes} if classes > 1 else {})
    network = build_part("model", settings.model, **channels)
    computed: Callable[[Tensor], Tensor] | None = None
    if settings.trainer.compile:
        computed = CompiledNetwork(network, settings, **channels)
    elif settings.trainer.cuda_graphs:
        computed = GraphedNetwork(network, settings.dataset.batch_size)
    return SegmentationModule(
        network,
        loss,
        # Plain lists: a checkpoint that holds those of OmegaConf cannot be loaded.
        instantiate(optimizer.arguments(), _partial_=True, _convert_="all"),
        loss_lr=settings.loss.parameter_lr,
        scheduler=instantiate(scheduler.arguments(), _partial_=True, _convert_="all")
        if scheduler.is_built
        else None,
        channels_last=settings.trainer.channels_last,
        computed=computed,
        seed=settings.seed,
        has_ignored=has_ignored,
        classes=classes,
    )


def transforms(settings: Settings) -> list[Any]:
    """The transforms of the training images."""
    return [instantiate(one.arguments()) for one in settings.augmentation.transforms]
