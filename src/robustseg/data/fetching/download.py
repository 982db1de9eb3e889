"""The public data sets: where their archives are, and how they become a folder to train on."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustseg.data.fetching.archive import extract
from robustseg.data.fetching.transfer import fetch
from robustseg.errors import DataError, OptionError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """A zip file on the web.

    Attributes:
        url: where it is.
        known_hash: "md5:…" or "sha256:…"; None where no trustworthy one is published.
        inside: a folder at its top whose content goes directly into the data set's folder.
    """

    url: str
    known_hash: str | None
    inside: str = ""


@dataclass(frozen=True)
class Dataset:
    """A public data set.

    Attributes:
        archives: all that is fetched.
        page: the data set's page, with its licence.
        next_step: what remains to be done by hand.
    """

    archives: tuple[Archive, ...]
    page: str
    next_step: str = ""


ISIC = "https://isic-challenge-data.s3.amazonaws.com/2017/ISIC-2017_"

# The hashes of ISIC 2017 are those that several public data loaders agree on.
DATASETS = {
    "isic2017": Dataset(
        archives=(
            Archive(f"{ISIC}Training_Data.zip", "md5:a14a7e622c67a358797ae59abb8a0b0c"),
            Archive(
                f"{ISIC}Training_Part1_GroundTruth.zip", "md5:77fdbeb6fbec4139937224416b250f4c"
            ),
            Archive(f"{ISIC}Validation_Data.zip", "md5:8d6419d942112f709894c0d82f6c9038"),
            Archive(
                f"{ISIC}Validation_Part1_GroundTruth.zip", "md5:64d3e68fa2deeb8a5e89aa8dec2efd44"
            ),
            Archive(f"{ISIC}Test_v2_Data.zip", "md5:5f6a0b5e1f2972bd1f5ea02680489f09"),
            Archive(f"{ISIC}Test_v2_Part1_GroundTruth.zip", "md5:b1742de6bd257faca3b2b21a4aa3b781"),
        ),
        page="https://challenge.isic-archive.com/data/#2017",
    ),
    "shenzhen": Dataset(
        archives=(
            Archive(
                "https://openi.nlm.nih.gov/imgs/collections/ChinaSet_AllFiles.zip",
                None,
                inside="ChinaSet_AllFiles",
            ),
        ),
        page="https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/"
        "Shenzhen-Hospital-CXR-Set/index.html",
        next_step="The lung masks need a login: fetch them from "
        "https://www.kaggle.com/datasets/yoctoman/shcxr-lung-mask and put the *_mask.png into "
        "{folder}/mask",
    ),
}


def download(name: str, destination: Path) -> str:
    """Fetches and unpacks a public data set; returns what a person does next.

    Existing files are not fetched again; interrupted downloads resume.

    Args:
        name: isic2017 or shenzhen.
        destination: folder that becomes `dataset.root`.

    Raises:
        DataError: unknown name, failed transfer, wrong hash, hostile or damaged archive.
    """
    if name not in DATASETS:
        raise OptionError(f"no download for {name!r}: choose {' or '.join(sorted(DATASETS))}")
    dataset = DATASETS[name]
    fetch_archives(dataset.archives, destination)
    lines = [f"{name} is in {destination}; its licence: {dataset.page}"]
    if dataset.next_step:
        lines.append(dataset.next_step.format(folder=destination))
    lines.append(f"Look at it: robustseg data check dataset={name} dataset.root={destination}")
    return "\n".join(lines)


def fetch_archives(archives: Sequence[Archive], destination: Path) -> None:
    """Fetches each archive, checks its hash, unpacks it and removes it.

    A file `.downloads/NAME.done` with its SHA-256 and the names of its files says that an archive
    is unpacked; where one of them is gone, it is fetched again.
    """
    store = destination / ".downloads"
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{destination}: cannot be written ({error.strerror}). Choose another folder"
        ) from error
    for archive in archives:
        done = store / f"{Path(archive.url).name}.done"
        if not _is_unpacked(done, destination):
            file = _retrieve(archive, store)
            digest = _sha256(file)
            if archive.known_hash is None:
                log.warning(
                    "%s: no hash is published, so it could not be verified. SHA-256: %s",
                    archive.url,
                    digest,
                )
            names = extract(file, destination, archive.inside)
            partial = done.with_suffix(".partial")
            partial.write_text("\n".join([digest, *names]) + "\n", encoding="utf-8")
            partial.replace(done)
            file.unlink()


def _is_unpacked(done: Path, destination: Path) -> bool:
    if not done.exists():
        return False
    names = done.read_text(encoding="utf-8").splitlines()[1:]  # after the hash
    return bool(names) and all((destination / name).exists() for name in names)


def _retrieve(archive: Archive, store: Path) -> Path:
    """The archive's file, whole and with the right hash."""
    import pooch  # type: ignore[import-untyped]

    pooch.get_logger().setLevel(logging.WARNING)

    name = Path(archive.url).name

    def downloader(url: str, output: str, _: Any) -> None:
        # Kept beside pooch's temporary file, which does not outlive a failure.
        whole = store / f"{name}.whole"
        fetch(url, whole)
        whole.replace(output)

    try:
        found = pooch.retrieve(
            archive.url, archive.known_hash, fname=name, path=store, downloader=downloader
        )
    except DataError:
        raise
    except ValueError as error:  # pooch's word for a wrong hash
        raise DataError(
            f"{archive.url}: what arrived is not the official file ({error}). It was deleted: "
            "fetch it again, or with a browser"
        ) from error
    return Path(found)


def _sha256(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
