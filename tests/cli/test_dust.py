"""``temperfill dust``: masks, previews and filled pictures of one scan and of a folder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from temperfill.cli import main

SPECKS = [(30, 40), (80, 70), (60, 110)]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A soft slope with three white specks."""
    slope = np.linspace(60, 140, 128)[None, :, None] * np.ones((96, 1, 3))
    slope += np.random.default_rng(0).normal(0, 3, slope.shape)
    for row, column in SPECKS:
        rows, columns = np.mgrid[:96, :128]
        cover = (3.5 - np.hypot(rows - row - 2, columns - column - 2)).clip(0, 1)[..., None]
        slope = slope * (1 - cover) + 250 * cover
    path = tmp_path / "scans" / "one.png"
    path.parent.mkdir()
    Image.fromarray(slope.clip(0, 255).astype(np.uint8)).save(path)
    return path


def specks(path: Path) -> list[bool]:
    """Whether each place of a speck is white."""
    grey = np.asarray(Image.open(path).convert("L"))
    return [bool(grey[row : row + 5, column : column + 5].mean() > 200) for row, column in SPECKS]


def test_marks_are_found_shown_and_filled(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled, mask, preview = tmp_path / "filled.png", tmp_path / "mask.png", tmp_path / "preview.png"
    words = ["--masks", str(mask), "--preview", str(preview), "--model", "telea"]
    main(["dust", str(scan), "--output", str(filled), *words])
    assert "found 3 marks" in capsys.readouterr().err
    assert specks(mask) == [True] * 3
    assert specks(filled) == [False] * 3
    marked = np.asarray(Image.open(mask)) > 0
    assert (np.asarray(Image.open(preview))[marked] == (255, 0, 0)).all()
    assert (np.asarray(Image.open(filled))[~marked] == np.asarray(Image.open(scan))[~marked]).all()
    only = tmp_path / "only.png"
    main(["dust", str(scan), "--output", str(only), "--mask-only"])
    assert only.read_bytes() == mask.read_bytes()


def test_a_folder_is_filled_with_the_masks_that_were_found(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (scan.parent / "broken.png").write_bytes(b"nothing")
    output = tmp_path / "out"
    with pytest.raises(SystemExit) as end:
        main(["dust", str(scan.parent), "--output", str(output), "--model", "telea"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "found 3 marks on 1 pictures" in said
    assert "1 of 2 pictures" in said
    assert specks(output / "one.png") == [False] * 3
    assert specks(tmp_path / "out-masks" / "one.png") == [True] * 3


def test_files_of_the_user_are_not_replaced(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = scan.read_bytes()
    for words in ([str(scan), "--output", str(scan)], [str(scan.parent), "--output", str(scan.parent / "in")]):
        with pytest.raises(SystemExit):
            main(["dust", *words])
        assert "choose" in capsys.readouterr().err
    assert scan.read_bytes() == before
