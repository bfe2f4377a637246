"""Files are pictures with labels, or an error that says which is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sardonyx.vision.pictures import VisionError, changed, found, naming_all_broken, opened
from tests.vision.conftest import drawn


def test_lists_of_files_are_read_with_care(shapes: Path, tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("picture,label\na,b\n")
    with pytest.raises(VisionError, match="the columns file and labels"):
        found(table)
    table.write_text("file,labels\nshapes/disc/0.png,disc\nshapes/disc/99.png,disc\n")
    with pytest.raises(VisionError, match=r"line 3: there is no file .*99\.png"):
        found(table)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    file = tmp_path / "text.png"
    file.write_text("no picture")
    with pytest.raises(VisionError, match=r"text\.png is not a picture"):
        opened(file)
    drawn("disc", 0).save(tmp_path / "whole.png")
    file.write_bytes((tmp_path / "whole.png").read_bytes()[:500])
    with pytest.raises(VisionError, match=r"text\.png is not a picture"):
        opened(file)


@pytest.mark.parametrize(("broken", "said"), [(3, "3"), (10, "10"), (12, "more than ten")])
def test_all_that_are_no_pictures_are_named(broken: int, said: str, tmp_path: Path) -> None:
    files = [tmp_path / f"{at}.png" for at in range(14)]
    for at, file in enumerate(files):
        drawn("disc", at).save(file)
    for file in files[:broken]:
        file.write_text("no picture")
    with pytest.raises(VisionError) as failed, naming_all_broken(files, 64):
        opened(files[0])
    lines = str(failed.value).splitlines()
    assert lines[0].startswith(f"{said} files are not pictures")
    assert lines[1:] == [
        f"    {file} (its content is that of no known kind)" for file in files[: min(broken, 10)]
    ]


def test_pictures_are_opened_upright_on_white_and_not_too_large(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (4, 2), (255, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    assert opened(tmp_path / "clear.png").min() == 255
    turned = Image.new("RGB", (40, 20))
    exif = turned.getexif()
    exif[274] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert opened(tmp_path / "turned.jpg").shape == (40, 20, 3)
    Image.new("RGB", (1000, 700)).save(tmp_path / "large.png")
    assert opened(tmp_path / "large.png", 100).shape == (234, 334, 3)
    changes = changed(np.asarray(drawn("disc", 0)), 64, np.random.default_rng(0))
    assert changes.shape == (64, 64, 3) and changes.dtype == np.uint8


def test_doubles_are_told(shapes: Path) -> None:
    shutil.copy(shapes / "disc" / "0.png", shapes / "square" / "twin.png")
    warnings = found(shapes).warnings
    assert any("are there twice" in text for text in warnings)
    assert any("under other labels" in text for text in warnings)


def test_hidden_files_are_no_pictures(shapes: Path) -> None:
    before = found(shapes).files
    inside = ("disc/.hidden.png", "disc/._0.png", "disc/__MACOSX/0.png", "disc/.thumbnails/0.png")
    for name in (*inside, "__MACOSX/disc/._0.png", ".thumbnails/disc/0.png"):
        file = shapes / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"no picture")
    assert found(shapes).files == before
