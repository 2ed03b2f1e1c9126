"""``temperfill extend``: a larger picture, its own pixels kept; one line for what cannot be done."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from temperfill.cli import main


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A sky that gets darker upwards, with a thin strip of land."""
    pixels = np.full((64, 80, 3), (90, 60, 30), np.uint8)
    pixels[:48] = (np.linspace(80, 200, 48)[:, None, None] * np.array([0.5, 0.7, 1])).astype(np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("model", ["base", "telea"])
def test_pictures_go_on(photo: Path, tmp_path: Path, model: str) -> None:
    output = tmp_path / "wide.png"
    main(["extend", str(photo), "--left", "16", "--bottom", "8", "--model", model, "--output", str(output)])
    before, after = np.asarray(Image.open(photo)).astype(int), np.asarray(Image.open(output)).astype(int)
    assert after.shape == (72, 96, 3)
    assert np.array_equal(after[:64, 16:], before)
    assert np.abs(after[:44, :16] - before[:44, :1]).mean() < 12  # the sky goes on as a sky
    assert np.abs(after[68:, 20:] - (90, 60, 30)).mean() < 12  # and land as land


def test_several_seeds_write_a_file_each(photo: Path, tmp_path: Path) -> None:
    words = ["extend", str(photo), "--left", "40", "--model", "telea", "--texture", "copy"]
    main([*words, "--seed", "0", "4", "--output", str(tmp_path / "wide.png")])
    main([*words, "--seed", "4", "--output", str(tmp_path / "alone.png")])
    assert (tmp_path / "wide-4.png").read_bytes() == (tmp_path / "alone.png").read_bytes()
    assert (tmp_path / "wide-0.png").exists()
    assert not (tmp_path / "wide.png").exists()


def test_nothing_to_add_and_too_much_are_refused(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, said in (([], "by 1 or more on one"), (["--top", "9000000"], "more than --max-pixels")):
        with pytest.raises(SystemExit) as end:
            main(["extend", str(photo), *words, "--output", str(tmp_path / "o.png")])
        assert end.value.code == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "o.png").exists()
