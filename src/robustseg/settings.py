"""Every setting of a run once: type, range, unit, meaning, and whether its id depends on it.

To add one, add a field here and its value in `conf/`; checks, identity and the pages of the
documentation follow. `robustseg.configuration.checks.resolve` makes `Settings` of a composed
configuration, once; functions take the group that they need.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import FiniteFloat

from robustseg.setting_groups import Group, Part, Setting

Number = int | FiniteFloat  # as it is written: 1 stays 1 in config.yaml


class Choice(Part):
    """A part that is chosen from a group: loss=gce."""

    name: Annotated[str, Setting("name of the choice; in labels and run ids")]


class Source(Part):
    """Where images come from."""

    root: Annotated[
        str | None,
        Setting("folder of the data set", "a folder, or null", identity=False, argument=True),
    ] = None
    image_bits: Annotated[
        int | None,
        Ge(8),
        Le(16),
        Setting(
            "number of bits that 16-bit grey images actually use, of which the upper eight are "
            "taken: 12 for values up to 4095; null: 16, and a set that would keep 64 levels or "
            "fewer is refused",
            "a whole number from 8 to 16, or null",
            later=True,
            argument=True,
        ),
    ] = None
    mask_template: Annotated[
        str | None,
        Setting(
            "name of an image's mask, such as {stem}_mask: {stem} is the image's name without "
            "its extension, and each field of image_template may be used; null: determined by "
            "mask_suffix",
            "a template such as {stem}_mask, or null",
            later=True,
            argument=True,
        ),
    ] = None
    image_template: Annotated[
        str | None,
        Setting(
            "names that images have, such as {case}_0000; other files are not images; null: all "
            "are",
            "a template such as {case}_0000, or null",
            later=True,
            argument=True,
        ),
    ] = None
    recursive: Annotated[
        bool,
        Setting(
            "whether subfolders are read; the id of sub/a.png is sub_a",
            later=True,
            argument=True,
        ),
    ] = False
    classes: Annotated[
        list[str] | None,
        Setting(
            "the names of dataset.classes; set them there",
            "a list of names, or null",
            later=True,
            argument=True,
        ),
    ] = None
    values: Annotated[
        dict[int | str, str] | None,
        Setting(
            "the class of each value of a label map, such as {80: left lung, 160: right lung}; "
            "for colours {255/0/0: left lung}, as red/green/blue; ignored stands for values that "
            "do not count; null: the numbers of dataset.classes themselves, and 255 is ignored",
            "a mapping such as {1: left lung, 2: right lung, 255: ignored}, or null",
            later=True,
            argument=True,
        ),
    ] = None
    class_masks: Annotated[
        dict[str, str] | None,
        Setting(
            "instead of label maps, the name of the binary mask of each foreground class, below "
            "the mask folder: left/{stem} or {stem}_left; where they overlap, the later one in "
            "dataset.classes counts",
            "a mapping such as {heart: '{stem}_heart'}, or null",
            later=True,
            argument=True,
        ),
    ] = None
    sides: Annotated[
        bool,
        Setting(
            "whether left and right lung are separate classes, with the patient's sides; needs "
            "dataset.classes=[background,left lung,right lung]",
            later=True,
            argument=True,
        ),
    ] = False


class DatasetSettings(Group):
    """A data set, and what a run takes of it."""

    name: Annotated[str, Setting("name of the data set; in labels and run ids")]
    root: Annotated[
        str | None, Setting("folder of the data set", "a folder, or null", identity=False)
    ] = None
    source: Annotated[Source, Setting("reads or generates images and masks")]
    image_size: Annotated[int, Ge(8), Setting("height and width of the images", unit="pixels")]
    batch_size: Annotated[int, Ge(1), Setting("training images per step")]
    num_workers: Annotated[
        int,
        Ge(0),
        Setting(
            "processes that augment; does not change results",
            identity=False,
            auto="none on a CPU, up to 8 beside a GPU",
        ),
    ]
    device: Annotated[
        Literal["cpu", "cuda"],
        Setting(
            "where training images are kept and augmented; does not change results. cuda: on the "
            "GPU (flips and gamma only)",
            identity=False,
        ),
    ] = "cpu"
    subset: Annotated[
        Literal["all", "positive"],
        Setting("positive: only images with foreground, in every split"),
    ]
    positive_fraction: Annotated[
        Number | None,
        Gt(0),
        Lt(1),
        Setting(
            "share of images with foreground in each split, by leaving some out; null: as they are",
            "a number above 0 and below 1, or null",
        ),
    ]
    train_size: Annotated[
        int | None,
        Ge(1),
        Setting(
            "a fixed training subset of this size; a smaller one is part of a larger; null: all"
        ),
    ]
    val_fraction: Annotated[
        Number,
        Ge(0),
        Lt(1),
        Setting(
            "share of the training images held out for validation, where there is no validation "
            "split",
            "a number ≥ 0 and below 1",
            later=True,
        ),
    ] = 0
    folds: Annotated[
        int | None,
        Ge(2),
        Setting(
            "parts of the images that are held out in turn, one per run; null: none. If the data "
            "set has its own test set, that stays apart, and the fold held out is the validation "
            "split",
            "a whole number ≥ 2, or null",
            later=True,
        ),
    ] = None
    fold: Annotated[
        int | None,
        Ge(0),
        Setting(
            "the fold that this run holds out; dataset.fold=0,1,2,3,4 in a sweep; tables pool them",
            "a whole number from 0 to folds − 1, or null",
            later=True,
        ),
    ] = None
    classes: Annotated[
        list[str] | None,
        Setting(
            "names of the classes of its label maps, the background first; null: one class of "
            "foreground",
            "a list of two or more names, the background first, or null",
            later=True,
        ),
    ] = None
    public: Annotated[
        bool,
        Setting("whether its images may be logged to wandb and shown in a report", identity=False),
    ]

    @property
    def foreground(self) -> tuple[str, ...]:
        """Names of the foreground classes; none where masks are binary."""
        return tuple(self.classes or ())[1:]


class NoiseSettings(Group):
    """What is done to training masks."""

    name: Annotated[str, Setting("name of the noise model; in labels and run ids")]
    alpha: Annotated[
        Number, Ge(0), Le(1), Setting("share of noisy training masks", "a number from 0 to 1")
    ]
    beta: Annotated[
        Number,
        Gt(0),
        Setting("error of a noisy mask: |noisy △ clean| / |clean|", "a number above 0"),
    ]
    seed: Annotated[
        int,
        Ge(0),
        Lt(2**32),
        Setting(
            "which masks are noisy and how; independent of the run's seed",
            "a whole number ≥ 0 and below 2^32",
        ),
    ]
    model: Annotated[Part, Setting("corrupts a mask")]


class LossSettings(Choice):
    """The loss that is trained with."""

    parameter_lr: Annotated[
        Number | None,
        Ge(0),
        Setting("learning rate of the loss's own parameters", "a number ≥ 0, or null"),
    ] = None
    include_background: Annotated[
        bool,
        Setting(
            "for region losses on label maps: whether the mean over classes includes the "
            "background",
            later=True,
            argument=True,
        ),
    ] = False
    empty_weight: Annotated[
        Number,
        Ge(0),
        Setting(
            "for tloss_area: weight of an image whose mask is empty",
            "a number ≥ 0",
            later=True,
            argument=True,
        ),
    ] = 1.0


class OptimizerSettings(Choice):
    """The optimiser of the network and of the loss's own parameters."""

    lr: Annotated[
        Number,
        Gt(0),
        Setting("learning rate of the network", "a number above 0", argument=True),
    ] = 1.0e-3
    fused: Annotated[
        bool | None,
        Setting(
            "true: PyTorch's one kernel for all parameters; null: its default",
            later=True,
            argument=True,
        ),
    ] = None


class AugmentationSettings(Group):
    """What is done to a training image and its mask before each step."""

    name: Annotated[str, Setting("name of the choice")]
    transforms: Annotated[
        list[Part], Setting("transforms, applied in this order", "a list of transforms")
    ]


class LoggerSettings(Choice):
    """Where else a run is logged."""

    images: Annotated[
        Literal[True, False, "auto"],
        Setting("a few images with masks; auto: only of data sets with dataset.public=true"),
    ] = "auto"


class TrainerSettings(Group):
    """How long and on what a run trains."""

    name: Annotated[str, Setting("name of the choice", identity=False)]
    max_epochs: Annotated[
        int,
        Ge(1),
        Setting("passes over the training images; with max_steps: max_steps/steps_per_epoch"),
    ]
    max_steps: Annotated[int | None, Ge(1), Setting("optimiser steps, instead of max_epochs")]
    steps_per_epoch: Annotated[
        int | None,
        Ge(1),
        Setting(
            "with max_steps: steps between evaluations and checkpoints, a divisor of max_steps; "
            "null: a tenth of max_steps, or the next smaller part that divides it, down to a "
            "fiftieth"
        ),
    ]
    accelerator: Annotated[
        Literal["cpu", "gpu"],
        Setting("device that computes", identity=False, auto="a GPU where there is one"),
    ]
    precision: Annotated[
        Literal["32-true", "bf16-mixed", "16-mixed"],
        Setting(
            "precision of the network's arithmetic",
            auto="bf16-mixed if the processor has bfloat16 units (1.4 to 2 times faster on a "
            "CPU), else 32-true",
        ),
    ]
    channels_last: Annotated[
        Literal[True, False],
        Setting("memory format of the network", auto="true if bfloat16 units compute"),
    ]
    compile: Annotated[
        Literal[True, False, "graphs"],
        Setting(
            "true: torch.compile the network for full batches (takes half a minute or more, once "
            "per process and shape; needs a C++ compiler; results differ in rounding, so it is "
            "another run); graphs: also replay it as CUDA graphs, which each run compiles again",
            later=True,
        ),
    ] = False
    cuda_graphs: Annotated[
        Literal[True, False],
        Setting(
            "replay the network's kernels of full training batches as CUDA graphs, without "
            "compiling it; needs a GPU, and is another run",
            later=True,
        ),
    ] = False
    threads: Annotated[
        int,
        Ge(1),
        Setting(
            "compute threads on a CPU",
            identity=False,
            auto="OMP_NUM_THREADS, or the number of processors",
        ),
    ]
    gradient_clip_val: Annotated[
        Number | None,
        Gt(0),
        Setting("largest gradient norm; null: none", "a number above 0, or null"),
    ]
    checkpoint_every: Annotated[
        Number,
        Ge(0),
        Setting(
            "minimum time between two checkpoints",
            "a number of seconds ≥ 0",
            unit="seconds",
            identity=False,
        ),
    ]
    progress: Annotated[
        Literal["auto", "bar", "lines", "none"],
        Setting("auto: a bar on a terminal, one line per epoch elsewhere", identity=False),
    ]


class EvaluationSettings(Group):
    """What is measured, and when."""

    every: Annotated[
        int,
        Ge(1),
        Setting("interval between evaluations; the last epoch is always evaluated", unit="epochs"),
    ]
    last: Annotated[
        int, Ge(1), Setting("reported numbers are the mean over this many last evaluations")
    ]
    train_sample: Annotated[
        int,
        Ge(1),
        Setting("training images in the memorisation pass (all of them at the end)"),
    ]
    batch_size: Annotated[int, Ge(1), Setting("images per batch")]
    hd95: Annotated[bool, Setting("per-image HD95 in the last evaluations")]


class PathSettings(Group):
    """Where files lie."""

    runs: Annotated[str, Setting("one folder per run", "a folder")]
    logs: Annotated[str, Setting("logs of Hydra, wandb and TensorBoard", "a folder")]
    cache: Annotated[str, Setting("decoded images", "a folder")]


class Settings(Group):
    """All settings of a run, with every ``auto`` resolved."""

    dataset: Annotated[DatasetSettings, Setting("images and masks")]
    noise: Annotated[NoiseSettings, Setting("what is done to training masks")]
    model: Annotated[Choice, Setting("the network")]
    loss: Annotated[LossSettings, Setting("the loss")]
    regularizer: Annotated[Choice, Setting("what is added to the loss, or changed in its target")]
    optimizer: Annotated[OptimizerSettings, Setting("the optimiser")]
    scheduler: Annotated[Choice, Setting("the learning rate over time")]
    augmentation: Annotated[AugmentationSettings, Setting("random changes of training images")]
    trainer: Annotated[TrainerSettings, Setting("how long a run trains, and on which device")]
    logger: Annotated[LoggerSettings, Setting("where else a run is logged", identity=False)]
    seed: Annotated[
        int,
        Ge(0),
        Lt(2**32),
        Setting(
            "initial weights, order of images, augmentation; noise has its own (noise.seed)",
            "a whole number ≥ 0 and below 2^32",
        ),
    ]
    force: Annotated[
        bool,
        Setting(
            "true: run again even if it is finished; the old folder is kept aside", identity=False
        ),
    ]
    strict: Annotated[
        bool,
        Setting(
            "true: refuse to resume or skip a run with other library versions, another processor "
            "or changed own classes; false: warn",
            identity=False,
        ),
    ] = False
    experiment_name: Annotated[
        str | Number | None,  # a name such as 2024 is read as a number
        Setting(
            "the label that tables, dashboards and reports group by",
            "a name, or null",
            identity=False,
        ),
    ]
    minutes: Annotated[
        Number | None,
        Gt(0),
        Le(1_000_000),  # two years: a longer limit is a slip
        Setting(
            "time limit of this command: then runs are interrupted as by Ctrl-C, none starts, "
            "and the same command resumes",
            "a number above 0 and up to 1000000, or null",
            unit="minutes",
            identity=False,
        ),
    ] = None
    records: Annotated[
        list[str],
        Setting(
            "folders of records: runs that they have are skipped like finished ones",
            "a list of folders, such as records=[path/to/record]",
            identity=False,
        ),
    ] = []  # noqa: RUF012  # pydantic copies it
    evaluation: Annotated[EvaluationSettings, Setting("what is measured, and when")]
    paths: Annotated[PathSettings, Setting("folders of files", identity=False)]

    @property
    def experiment(self) -> str | None:
        """The name of the experiment; None if it belongs to none."""
        return None if self.experiment_name is None else str(self.experiment_name)
