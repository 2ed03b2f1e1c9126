"""Pictures of training that are measured on, too: found by place, content and looks, named, and refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from temperfill import images
from temperfill.evaluate.overlap import NEAR, check_overlap, find_overlap, pictures_of


def picture(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """A picture with shapes as large as those of photographs."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    return coarse.filter(ImageFilter.GaussianBlur(1))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of six pictures of training and of three others."""
    train, test = tmp_path / "train", tmp_path / "test"
    for folder, seeds in ((train, range(6)), (test, range(10, 13))):
        folder.mkdir()
        for seed in seeds:
            picture(seed).save(folder / f"{seed}.png")
    return train, test


def ways(train: Path, test: Path) -> list[tuple[str, str, str]]:
    found = find_overlap([train], pictures_of([test]), progress=False).shared
    return [(Path(pair.training).name, pair.held_out.name, pair.how) for pair in found]


def test_different_pictures_have_nothing_in_common(folders: tuple[Path, Path]) -> None:
    train, test = folders
    assert ways(train, test) == []
    said = check_overlap([train], pictures_of([test]), "refuse", progress=False)
    assert said.startswith("3 held-out pictures were compared with 6 of training by path, by SHA-256 and by a percep")
    assert said.endswith("none in common.")


def test_a_folder_inside_that_of_training_is_the_same_files(folders: tuple[Path, Path], tmp_path: Path) -> None:
    _, test = folders
    (tmp_path / "link").symlink_to(test)
    expected = [(f"{n}.png", f"{n}.png", "the same file") for n in (10, 11, 12)]
    assert ways(tmp_path, tmp_path / "link")[-3:] == expected


def test_copies_are_found_by_their_bytes_in_shards_too(folders: tuple[Path, Path], tmp_path: Path) -> None:
    import tarfile

    train, test = folders
    (train / "copy.png").write_bytes((test / "11.png").read_bytes())
    assert ways(train, test) == [("copy.png", "11.png", "the same bytes")]
    (tmp_path / "shards").mkdir()
    with tarfile.open(tmp_path / "shards" / "a.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.add(train / "copy.png", "copy.png")
    ((name, held_out, how),) = ways(tmp_path / "shards", test)
    assert (name, held_out, how) == ("a.tar:copy.png", "11.png", "the same bytes")


def changes() -> dict[str, Image.Image]:
    source = picture(11)
    return {
        "smaller.jpg": source.resize((70, 52)),
        "larger.png": source.resize((300, 225)),
        "grey.png": source.convert("L"),
        "brighter.jpg": source.point(lambda v: min(int(1.2 * v), 255)),
        "mirrored.png": source.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "square.png": source.crop((15, 0, 105, 90)),
        "squashed.jpg": source.resize((64, 64)),
    }


@pytest.mark.parametrize("name", changes())
def test_changed_copies_are_found_by_their_looks(name: str, folders: tuple[Path, Path]) -> None:
    train, test = folders
    changes()[name].save(train / name)
    assert ways(train, test) == [(name, "11.png", "nearly the same picture")]


def test_turned_by_the_camera_is_the_same(folders: tuple[Path, Path]) -> None:
    """Pixels that lie on their side, and EXIF that says so."""
    train, test = folders
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(11).transpose(Image.Transpose.ROTATE_90).save(train / "phone.jpg", exif=exif)
    assert ways(train, test) == [("phone.jpg", "11.png", "nearly the same picture")]


def test_unlike_pictures_stay_far_from_the_limit() -> None:
    from temperfill.evaluate.overlap import perceptual_hashes

    hashes = np.array([next(perceptual_hashes(np.asarray(picture(seed).convert("L")))) for seed in range(60)])
    apart = (hashes[:, None] != hashes).mean(2)[np.triu_indices(60, 1)]
    assert apart.min() > 1.5 * NEAR


def test_plain_and_unreadable_pictures_are_counted_and_not_taken_for_one_another(folders: tuple[Path, Path]) -> None:
    train, test = folders
    for folder, grey in ((train, 100), (test, 101)):
        Image.new("RGB", (50, 50), (grey,) * 3).save(folder / "plain.png")
    (train / "broken.jpg").write_bytes(b"no picture")
    said = check_overlap([train], pictures_of([test]), "refuse", progress=False)
    assert said.endswith("none in common; 3 are unreadable or too plain for the hash.")


def test_overlap_is_refused_allowed_or_not_looked_for(folders: tuple[Path, Path]) -> None:
    train, test = folders
    for n in range(7):
        (train / f"copy-{n}.png").write_bytes((test / "11.png").read_bytes())
    held_out = pictures_of([test])
    with pytest.raises(ValueError, match=r"^training would see held-out.* 1 in common .*11\.png is the same bytes as"):
        check_overlap([train], held_out, "refuse", progress=False)
    said = check_overlap([train], held_out, "allow", progress=False)
    assert "and 2 more pairs" in said
    assert "not checked" in check_overlap([train / "none"], held_out, "unchecked", progress=False)


def test_small_reading_equals_whole_reading(tmp_path: Path) -> None:
    picture(1, (800, 600)).save(tmp_path / "a.jpg", quality=95)
    with (tmp_path / "a.jpg").open("rb") as file:
        small = images.read_small(file, 64)
    assert min(small.shape) >= 64
    assert small.shape[0] < 600
    whole = np.asarray(Image.open(tmp_path / "a.jpg").convert("L"))
    np.testing.assert_allclose(images.resize_grey(small, 32), images.resize_grey(whole, 32), atol=4)
