import subprocess
import sys
import time

import numpy as np
from PIL import Image

from robustseg.data import fingerprint
from robustseg.data.sources.isic2017 import Isic2017
from robustseg.data.sources.source import Source


def test_the_official_folders(isic_root):
    source = Isic2017(isic_root)
    assert isinstance(source, Source)
    records = source.records()
    assert [(r.id[-1], r.split) for r in records] == [
        *[(str(k), "train") for k in range(4)],
        *[(str(k), "val") for k in (4, 5)],
        *[(str(k), "test") for k in (6, 7)],
    ]
    assert source.checked_scan().remarks == []


def test_read(isic_root):
    source = Isic2017(isic_root)
    record = source.records()[5]
    image, mask = source.read(record)
    assert np.array_equal(image, np.asarray(Image.open(record.image)))
    assert np.array_equal(mask * 255, np.asarray(Image.open(record.mask)))


def test_masks_without_an_image_are_remarked(isic_root):
    (isic_root / "ISIC-2017_Training_Data" / "ISIC_0000001.jpg").unlink()
    scan = Isic2017(isic_root).checked_scan()
    assert scan.errors == []
    assert scan.remarks == ["1 mask has no image and is left out: ISIC_0000001_segmentation.png"]


def test_remembered_fingerprints_need_no_heavy_import(isic_root, tmp_path, monkeypatch):
    now = time.time_ns()
    monkeypatch.setattr(fingerprint.time, "time_ns", lambda: now + 60 * 10**9)
    Isic2017(isic_root).fingerprint(tmp_path)
    program = f"""
import sys
from pathlib import Path
from robustseg.data.sources.isic2017 import Isic2017
Isic2017({str(isic_root)!r}).fingerprint(Path({str(tmp_path)!r}))
heavy = {{"numpy", "PIL", "cv2", "pandas", "torch", "albumentations"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_data_room_needs_no_torch():
    program = """
import sys
import robustseg.data.cache, robustseg.data.checking.check_report, robustseg.data.fetching.download
import robustseg.data.sources.folder, robustseg.data.selection, robustseg.data.sources.shenzhen
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
