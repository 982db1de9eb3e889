"""`robustseg noise preview` and `robustseg noise export`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli.file_argument import file_ending
from robustseg.cli.overrides import add_overrides
from robustseg.cli.run_argument import positive
from robustseg.errors import DataError, UserError

if TYPE_CHECKING:
    import numpy as np

    from robustseg.data.imageset import ImageSet
    from robustseg.data.sources.source import Source
    from robustseg.settings import Settings


def add_parser(subparsers: Any) -> None:
    """Add the command ``noise`` and its subcommands."""
    parser = subparsers.add_parser("noise", help="show noisy masks, or write them as files")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    viewer = commands.add_parser(
        "preview",
        help="draw a contact sheet: image, clean and noisy outline, type, Dice",
        description="Draw the first noisy masks of a data set on a contact sheet: the image with "
        "the clean and the noisy outline, the type of the noise, and the Dice of both masks.",
        epilog="robustseg noise preview noise=markov noise.alpha=1 -o markov.png",
    )
    viewer.add_argument(
        "-o",
        "--out",
        type=file_ending(".png"),
        default=Path("noise.png"),
        help="PNG file (default: noise.png)",
    )
    viewer.add_argument(
        "--count", type=positive, default=24, help="noisy images to show (default: 24)"
    )
    viewer.set_defaults(main=preview)
    writer = commands.add_parser(
        "export",
        help="write noisy masks as PNG under the original file names, with their manifest",
        description="Write noise.csv and the noisy masks at dataset.image_size (0, 255; 128 "
        "where ignored; label maps as palette files of the labels, 255 where "
        "ignored), so that any other program can train on them.",
        epilog="robustseg noise export out dataset=folder dataset.root=mine noise.alpha=0.7",
    )
    writer.add_argument("folder", type=Path, metavar="OUT", help="folder to write to")
    writer.set_defaults(main=export)
    for command in (viewer, writer):
        add_overrides(command)
        command.add_argument(
            "--split",
            choices=("train", "val", "test", "all"),
            default="train",
            help="images whose masks are corrupted (default: train)",
        )


def preview(options: argparse.Namespace) -> int:
    """Draw a contact sheet of noisy masks."""
    from robustseg.data.prepare import none_noisy
    from robustseg.noise.contact_sheet import contact_sheet

    settings, _, images, noisy, manifest = _corrupted(options)
    changed = _noisy(manifest)
    rows = [at for at, name in enumerate(images.ids) if name in changed][: options.count]
    shown = {images.ids[at] for at in rows}
    if not rows:
        none = none_noisy(settings.noise.alpha, len(images)) or "set noise.alpha above 0"
        raise UserError(f"no mask is noisy: {none}")
    noise = settings.noise
    options.out.parent.mkdir(parents=True, exist_ok=True)
    title = f"{settings.dataset.name}: {noise.name}, α {noise.alpha}, β {noise.beta}"
    contact_sheet(
        options.out,
        images.images[rows],
        images.masks[rows],
        noisy[rows],
        [row for row in manifest if row["id"] in shown],
        title=title,
        classes=settings.dataset.foreground,
    )
    print(f"{len(rows)} noisy masks of {len(images)} are shown in {options.out}")
    return 0


def _noisy(manifest: "list[dict[str, Any]]") -> set[str]:
    """The ids of masks to which something was done."""
    return {row["id"] for row in manifest if row["type"] != "clean"}


def export(options: argparse.Namespace) -> int:
    """Write noisy masks and their manifest."""
    from robustseg.noise.export import export as write

    settings, source, images, noisy, manifest = _corrupted(options)
    names = {r.id: r.mask.name if r.mask else f"{r.id}.png" for r in source.records()}
    if len({Path(name).stem.lower() for name in names.values()}) < len(names):
        # The same name in several subfolders.
        names = {name: f"{name}.png" for name in names}
    files = [names[name] for name in images.ids]
    write(options.folder, noisy, files, manifest, label_maps=bool(settings.dataset.classes))
    changed = len(_noisy(manifest))
    print(f"{len(images)} masks, {changed} of them noisy, are in {options.folder}")
    return 0


def _corrupted(
    options: argparse.Namespace,
) -> "tuple[Settings, Source, ImageSet, np.ndarray, list[dict[str, Any]]]":
    """Settings, source, images of the split, their noisy masks and the manifest."""
    from hydra.utils import instantiate

    from robustseg.configuration.compose import composed
    from robustseg.data.prepare import corrupt, load_selected

    settings = composed(options.overrides, "dataset", "noise")
    source = instantiate(settings.dataset.source.arguments())
    images = load_selected(source, Path(settings.paths.cache), settings.dataset)
    if options.split != "all":
        images = images.split(options.split)
    if not len(images):
        raise DataError("there are no images in this split: choose another with --split")
    model = instantiate(settings.noise.model.arguments())
    noisy, manifest = corrupt(images, settings.noise, model, settings.dataset.classes)
    return settings, source, images, noisy, manifest
