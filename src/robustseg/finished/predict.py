"""Masks, probabilities and overlays of new images, as files at the images' own size."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from robustseg import label_palette
from robustseg.data.resizing import resize_image
from robustseg.data.sources.listing import OTHER_FORMATS, ending_of
from robustseg.data.sources.opening import name_trouble
from robustseg.data.sources.reading import read_image
from robustseg.data.sources.traits import MIN_BITS, Traits, check_depth, traits_of
from robustseg.errors import DataError
from robustseg.finished.load import FinishedRun
from robustseg.finished.new_images import output_names
from robustseg.metrics.evaluation import predict_logits
from robustseg.terminal.count import count
from robustseg.terminal.printable import printable

MASKS, PROBABILITIES, OVERLAYS = "masks", "probabilities", "overlays"  # folders
_OUTLINE, _CASING = (86, 180, 233), (20, 20, 20)  # sky blue of Okabe and Ito on a dark line
# Also of runs evaluated in bfloat16, whose eight bits would show in the probabilities.
_PRECISION = "32-true"
_THREADS = 4  # that read and write files


@dataclass(frozen=True)
class Predicted:
    """What became of one image.

    Attributes:
        image: the image file.
        name: of its output files, without suffix; may have folders.
        size: (height, width); None if the file is unusable.
        foreground: share of pixels that are foreground.
        shares: the same of each foreground class by its name; empty where masks are binary.
        traits: what is odd about the file.
        error: why the file is unusable; "" if it is not.
    """

    image: Path
    name: str
    size: tuple[int, int] | None = None
    foreground: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict)
    traits: Traits = field(default_factory=Traits)
    error: str = ""


@dataclass(frozen=True)
class Wanted:
    """What to write, and where.

    Attributes:
        out: the folder.
        threshold: of binary masks.
        overlay: whether to draw outlines on the images.
        classes: names of the foreground classes of label maps; none for binary masks.
        each_class: whether to write their probabilities.
    """

    out: Path
    threshold: float = 0.5
    overlay: bool = True
    classes: Sequence[str] = ()
    each_class: bool = True

    @property
    def kinds(self) -> list[str]:
        """Folders, one for each kind of file."""
        found = [MASKS] if self.classes else [MASKS, PROBABILITIES]
        if self.each_class:
            found += [f"{PROBABILITIES}/{name}" for name in class_folders(self.classes)]
        return [*found, *([OVERLAYS] if self.overlay else [])]

    def file(self, kind: str, name: str) -> Path:
        """The file of a kind for an image."""
        return self.out / kind / f"{name}.png"


def predict_files(
    run: FinishedRun,
    images: Sequence[Path],
    wanted: Wanted,
    *,
    batch_size: int = 8,
    bits: int | None = None,
) -> Iterator[Predicted]:
    """Predict image files and write what is found, batch after batch.

    An image is read and resized as in training; its probabilities, computed in float32, are resized
    back (bilinear) and then compared with the threshold. For each image: `masks/NAME.png` (8 bits:
    0, 255), `probabilities/NAME.png` (16 bits: 65535 p) and, if asked for, `overlays/NAME.png`. Of
    several classes `masks/NAME.png` is a label map with a palette, k for the k-th class, the one
    with the largest probability; and `probabilities/CLASS/NAME.png` are written if asked for.

    Args:
        run: whose network predicts.
        images: the files.
        wanted: what to write, and where.
        batch_size: images per batch; so many are in memory at their own size.
        bits: that images of 16 bits grey use; None: as the run's were read, whatever values
            these have.

    Yields:
        What became of each image, in their order; a file that cannot be read, or on which the
        network's output is not a number, stops nothing.

    Raises:
        DataError: two images would have one output, or the folder cannot be written.
    """
    bits = bits_of(run, bits)
    names = output_names(images)
    for folder in {wanted.file(kind, name).parent for kind in wanted.kinds for name in names}:
        make_folder(folder)
    with ThreadPoolExecutor(_THREADS) as pool:
        pairs = list(zip(images, names, strict=True))
        for start in range(0, len(pairs), batch_size):
            batch = pairs[start : start + batch_size]
            read = list(pool.map(lambda pair: _read(pair[0], run.channels, bits), batch))
            pictures = [image for image, _ in read if isinstance(image, np.ndarray)]
            probabilities = iter(_probabilities(run, pictures))
            jobs = []
            for (path, name), (picture, _) in zip(batch, read, strict=True):
                if isinstance(picture, str):
                    jobs.append(pool.submit(Predicted, path, name, error=picture))
                    continue
                small = next(probabilities)
                if np.isnan(small).any():  # NaN would pass for background
                    broken = f"{path}: the output of {run.folder.run_id} on it is NaN"
                    jobs.append(pool.submit(Predicted, path, name, error=broken))
                    continue
                jobs.append(pool.submit(_write, path, name, picture, small, wanted))
            for job, (_, traits) in zip(jobs, read, strict=True):
                yield replace(job.result(), traits=traits)


def bits_of(run: FinishedRun, bits: int | None) -> int | None:
    """The bits that images of 16 bits are read by: those that are asked for, or the run's."""
    return run.settings.dataset.source.get("image_bits") if bits is None else bits


def class_folders(classes: Sequence[str]) -> list[str]:
    """A folder's name for each class: letters, digits, - and _ stay, and no two are alike.

    Examples:
        >>> class_folders(["left lung", "heart"]), class_folders(["a b", "A_b"])
        (['left_lung', 'heart'], ['1_a_b', '2_A_b'])
    """
    names = [re.sub(r"[^\w-]+", "_", name) for name in classes]
    if len({name.lower() for name in names}) == len(names):
        return names
    return [f"{at}_{name}" for at, name in enumerate(names, 1)]


def make_folder(folder: Path) -> None:
    """Make a folder, if it is not there.

    Raises:
        DataError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror})") from error


def _read(path: Path, channels: int, bits: int | None) -> tuple[np.ndarray | str, Traits]:
    """The image, or why it cannot be used; and what is odd about it.

    Without `bits` the upper eight of 16 are taken, also of a dark image: training judges the whole
    set by its largest value, and an image has the grey levels that it had there.
    """
    ending = ending_of(path.name).lower()
    if trouble := name_trouble(str(path)):
        return f"{printable(str(path))}: {trouble}. Rename it", {}
    if ending in OTHER_FORMATS:
        return f"{path}: {ending} files are not read: {OTHER_FORMATS[ending]}", {}
    traits = traits_of(path, mask=False)
    try:
        if bits is not None:
            check_depth({path: traits}, bits)
        return read_image(path, channels, bits), traits
    except DataError as error:
        return str(error).replace("dataset.source.image_bits=", "--image-bits "), traits


def remarks_on_files(done: Sequence[Predicted], bits: int | None) -> list[str]:
    """What to say of images that are odd and were predicted nevertheless.

    Args:
        done: all images of a command.
        bits: that those of 16 bits were read by; None for all 16.
    """
    read = [one for one in done if not one.error]
    turned = [one.image for one in read if "turned" in one.traits]
    paged = [one.image for one in read if "pages" in one.traits]
    remarks = []
    if turned:
        remarks.append(
            f"{_first(turned)}: an orientation tag, which is not applied, as in training: the mask "
            "is that of the stored picture"
        )
    if paged:
        remarks.append(f"{_first(paged)}: several pages, of which the first is predicted")
    deep = [one.traits["deep"] for one in done if "deep" in one.traits]
    if bits is None and deep and 0 < max(deep).bit_length() < MIN_BITS:
        needed = max(max(deep).bit_length(), 8)
        colour = any("deep_colour" in one.traits for one in read)
        remedy = "convert them to 8 bits" if colour else f"add --image-bits {needed} --force"
        remarks.append(
            f"the largest value of {count(len(deep), 'image')} of 16 bits is {max(deep)}, so the "
            f"upper eight bits, which the run reads, give {(max(deep) >> 8) + 1} grey levels. If "
            f"its training images used all 256, {remedy}"
        )
    return remarks


def _first(paths: Sequence[Path]) -> str:
    return f"{paths[0]}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}"


def _probabilities(run: FinishedRun, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """(S, S) float32 of each image (H, W, C), at the size S of the run; (K, S, S) of K classes."""
    if not images:
        return []
    small = np.stack([resize_image(image, run.image_size) for image in images])
    logits = predict_logits(run.predictor, small, batch_size=len(small), precision=_PRECISION)
    if run.classes:
        return [p for _, batch in logits for p in batch.softmax(dim=1).cpu().numpy()]
    return [p for _, batch in logits for p in batch[:, 0].sigmoid().cpu().numpy()]


def _write(
    path: Path,
    name: str,
    image: np.ndarray,
    small: np.ndarray,
    wanted: Wanted,
) -> Predicted:
    size = height, width = image.shape[:2]
    if wanted.classes:
        probabilities = np.stack([_resized(one, width, height) for one in small])
        labels = probabilities.argmax(axis=0).astype(np.uint8)
        picture = Image.fromarray(labels)
        picture.putpalette(label_palette())
        if wanted.each_class:
            folders = class_folders(wanted.classes)
            for folder, probability in zip(folders, probabilities[1:], strict=True):
                _levels(probability).save(wanted.file(f"{PROBABILITIES}/{folder}", name))
    else:
        probability = _resized(small, width, height)
        labels = (probability > wanted.threshold).astype(np.uint8)
        picture = Image.fromarray(labels * 255)
        _levels(probability).save(wanted.file(PROBABILITIES, name))
    picture.save(wanted.file(MASKS, name))
    if wanted.overlay:
        levels = label_palette()
        own = [tuple(levels[3 * k : 3 * k + 3]) for k in range(1, len(wanted.classes) + 1)]
        drawn = image
        for value, color in enumerate(own or [_OUTLINE], 1):
            drawn = outlined(drawn, labels == value, color)
        Image.fromarray(drawn).save(wanted.file(OVERLAYS, name))
    shares = {one: float((labels == at).mean()) for at, one in enumerate(wanted.classes, 1)}
    return Predicted(path, name, size, float((labels > 0).mean()), shares)


def _resized(probability: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(
        Image.fromarray(probability).resize((width, height), Image.Resampling.BILINEAR)
    )


def _levels(probability: np.ndarray) -> Image.Image:
    """As 16 bits."""
    return Image.fromarray(np.rint(probability.astype(np.float64) * 65535).astype(np.uint16))


def outlined(image: np.ndarray, mask: np.ndarray, color: tuple[int, ...] = _OUTLINE) -> np.ndarray:
    """An image (H, W, C) in colour, with the outline of a mask (H, W) drawn on it.

    The line is about 1/200 of the image's diagonal wide, in a casing that is dark.
    """
    picture = np.repeat(image, 3 // image.shape[2], axis=2).copy()
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(float(np.hypot(*mask.shape)) / 200))
    casing = width + 2 * math.ceil(width / 3)
    for one, thickness in ((_CASING, casing), (color, width)):
        cv2.drawContours(picture, contours, -1, one, thickness)
    return picture
