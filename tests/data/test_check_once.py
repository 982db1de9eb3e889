"""A check says each thing once, and nothing that it did not measure."""

import json
import shlex

import numpy as np
from PIL import Image

from robustseg.cli.main import main
from robustseg.data.checking.check import check
from robustseg.data.checking.check_report import render_text
from robustseg.data.checking.once import once
from robustseg.data.sources.folder import Folder
from tests.data.conftest import disc, picture, save


def grey(path, values):
    """A mask that holds these values."""
    Image.fromarray(np.resize(np.array(values, np.uint8), (32, 32))).save(path)


def test_masks_that_are_not_binary_are_one_sentence_with_the_values_of_all(tiles_root):
    for number, path in enumerate(sorted((tiles_root / "masks").iterdir())):
        grey(path, [0, 10 + number, 200])
    report = check(Folder(tiles_root), 32)
    (error,) = report.errors
    assert "P0_tile1.png and 11 more (P0_tile2.png, P1_tile3.png, …): " in error
    assert "it holds 14 values (0, 10, 11, 12, 13, 14, 15, 16, …)" in error
    assert "dataset.source.mask_threshold=100" in error
    assert "dataset.source.positive_values" in error
    assert report.values["200"] == 12 and report.values["10"] == 1


def test_nothing_is_shown_of_what_could_not_be_read(tiles_root):
    for path in (tiles_root / "masks").iterdir():
        grey(path, [0, 5, 9])
    text = render_text(check(Folder(tiles_root), 32))
    train = next(line for line in text.splitlines() if line.startswith("train"))
    assert train.split() == ["train", "8", "0", "-", "-"]
    assert "foreground  " not in text and "sizes" not in text


def test_what_was_read_is_counted_beside_errors(tiles_root):
    (tiles_root / "images" / "P0_tile0.png").write_bytes(b"")
    report = check(Folder(tiles_root), 32)
    assert sum(report.read.values()) == 11
    assert "images  read" in render_text(report)
    assert "images  read" not in render_text(check(Folder(tiles_root, glob="P1*"), 32))


def test_many_sizes_are_a_count_a_range_and_the_commonest(tmp_path):
    for number in range(12):
        size = 20 + max(number, 3)
        save(tmp_path / "images" / f"{number}.png", picture(number, size))
        save(tmp_path / "masks" / f"{number}.png", disc(5, size))
    text = render_text(check(Folder(tmp_path), 32))
    assert "sizes   9 different, 23×23 to 31×31, most often 23×23 (4)" in text
    assert "values  0 in 12, 255 in 12 masks" in text


def test_messages_of_one_kind_are_joined():
    said = [f"d/a{k}.png: the mask is 8×{k} but its image x{k}.jpg is 9×9. Do" for k in range(4)]
    (line,) = once([*said, said[0]])
    assert line == (
        "d/a0.png and 3 more (a1.png, a2.png, …): the mask is 8×0 but its image x0.jpg is 9×9. Do"
    )
    apart = ["d/a.png: damaged", "e/a.png: damaged", "d/a.png: other", "no file at all"]
    assert once(apart) == apart
    assert once(["s.csv: the id 'a'", "s.csv: the id 'b'"]) == [
        "s.csv: the id 'a'",
        "s.csv: the id 'b'",
    ]


def test_the_call_that_trains_is_printed_and_works(tiles_root, capsys):
    given = ["dataset=folder", f"dataset.root={tiles_root}", 'dataset.source.group_pattern="^P\\d"']
    assert main(["data", "check", *given]) == 0
    out = capsys.readouterr().out
    call = out.split("to train on it:\n  ")[1].strip()
    assert call.startswith("robustseg train dataset=folder dataset.root=")
    assert shlex.split(call)[2:] == given
    assert main(["data", "check", "--format", "json", *given]) == 0
    assert json.loads(capsys.readouterr().out)["call"] == call


def test_no_call_is_printed_beside_errors(tiles_root, capsys):
    (tiles_root / "images" / "P0_tile0.png").write_bytes(b"")
    assert main(["data", "check", "dataset=folder", f"dataset.root={tiles_root}"]) == 1
    assert "to train on it" not in capsys.readouterr().out
