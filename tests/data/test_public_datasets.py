"""Public data sets: their layouts as published, their splits, and what is said when something is missing."""

import json
from pathlib import Path

import pytest

from temperfill import cli
from temperfill.data import list_pictures
from temperfill.data.public_datasets import DATASETS, Draw, Split, count, splits_of, write_splits


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def names(split: Split) -> list[str]:
    return [path.name for path in (split if isinstance(split, list) else list_pictures(split))]


def paris(root: Path) -> None:
    touch(root, *(f"paris_train_original/48.84{i}_2.34_90_-004.JPG" for i in range(4)))
    touch(root, "paris_eval/paris_eval_gt/001_im.png", "paris_eval/paris_eval_corrupted/001_im.png")


def places_large(root: Path) -> None:
    touch(root, *(f"data_large/{a}/{a}bbey/{i:08d}.jpg" for a in "ab" for i in range(3)))
    touch(root, *(f"val_large/Places365_val_{i:08d}.jpg" for i in range(1, 10)))


def places_easy(root: Path) -> None:
    touch(root, *(f"places365_standard/train/{a}bbey/{i:08d}.jpg" for a in "ab" for i in range(3)))
    touch(root, *(f"places365_standard/val/{'ab'[i % 2]}bbey/Places365_val_{i:08d}.jpg" for i in range(1, 10)))


def celeba(root: Path, num: int = 12) -> None:
    """Faces of which every third is male."""
    touch(root, *(f"CelebAMask-HQ/CelebA-HQ-img/{i}.jpg" for i in range(num)))
    rows = [f"{i}.jpg  -1 {1 if i % 3 == 0 else -1} -1" for i in range(num)]
    text = "\n".join([str(num), "Bald Male Young", *rows, ""])
    (root / "CelebAMask-HQ" / "CelebAMask-HQ-attribute-anno.txt").write_text(text)


def test_paris(tmp_path: Path) -> None:
    paris(tmp_path)
    splits = splits_of("paris", tmp_path, Draw(0, 2000))
    assert {name: count(split) for name, split in splits.items()} == {"train": 4, "val": 1, "test": 1}
    assert splits["test"] == tmp_path / "paris_eval" / "paris_eval_gt"


@pytest.mark.parametrize("make", [places_large, places_easy])
def test_places2(make: object, tmp_path: Path) -> None:
    make(tmp_path)  # type: ignore[operator]
    splits = splits_of("places2", tmp_path, Draw(0, 4))
    assert isinstance(splits["train"], Path)
    assert count(splits["train"]) == 6
    assert len(names(splits["test"])) == 4
    assert sorted(names(splits["test"]) + names(splits["val"])) == [f"Places365_val_{i:08d}.jpg" for i in range(1, 10)]
    assert names(splits_of("places2", tmp_path, Draw(0, 4))["test"]) == names(splits["test"])
    assert names(splits_of("places2", tmp_path, Draw(1, 4))["test"]) != names(splits["test"])


@pytest.mark.parametrize("folder", ["data_256", "data_large_standard", "data_256_challenge"])
def test_places2_as_other_tools_rename_it(folder: str, tmp_path: Path) -> None:
    places_large(tmp_path)
    (tmp_path / "data_large").rename(tmp_path / folder)
    assert splits_of("places2", tmp_path, Draw(0, 4))["train"] == tmp_path / folder


def test_celeba_hq_test_set_is_balanced(tmp_path: Path) -> None:
    celeba(tmp_path)
    splits = splits_of("celeba-hq", tmp_path, Draw(0, 6))
    test, train = ([int(Path(name).stem) for name in names(splits[split])] for split in ("test", "train"))
    assert [number % 3 == 0 for number in test] == [True] * 3 + [False] * 3
    assert sorted(test + train) == list(range(12))
    assert train == sorted(train)
    tests = {tuple(names(splits_of("celeba-hq", tmp_path, Draw(seed, 6))["test"])) for seed in (0, 0, 1, 2)}
    assert len(tests) == 3


def test_celeba_hq_by_the_attributes_of_celeba(tmp_path: Path) -> None:
    """The two published files say the same of the same faces."""
    celeba(tmp_path)
    expected = splits_of("celeba-hq", tmp_path, Draw(0, 6))
    root = tmp_path / "CelebAMask-HQ"
    (root / "CelebAMask-HQ-attribute-anno.txt").unlink()
    originals = [f"{900 - 7 * i:06d}.jpg" for i in range(12)]
    rows = [f"{name} 1 {1 if i % 3 == 0 else -1}  -1" for i, name in enumerate(originals)]
    (root / "list_attr_celeba.txt").write_text("\n".join(["13", "Bald Male Young", *rows, "000001.jpg 1 1 1"]))
    rows = [f"{i}        {900 - 7 * i}        {name}" for i, name in enumerate(originals)]
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(["idx  orig_idx  orig_file", *rows, ""]))
    assert splits_of("celeba-hq", tmp_path, Draw(0, 6)) == expected


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "readme.txt")
    for name, part in (
        ("paris", r"lacks the training pictures \(paris_train_original\.zip\).*it holds readme\.txt"),
        ("places2", r"lacks the training pictures .*data_large or .* or train; it holds readme\.txt"),
        ("celeba-hq", r"lacks the pictures \(CelebAMask-HQ\.zip\): expected CelebA-HQ-img"),
    ):
        with pytest.raises(ValueError, match=part):
            splits_of(name, tmp_path, Draw(0, 2))
        with pytest.raises(NotADirectoryError, match=r"readme\.txt is not a folder"):
            splits_of(name, tmp_path / "readme.txt", Draw(0, 2))
    touch(tmp_path, "paris_train_original/1.JPG", "data_256/a/1.jpg", "CelebA-HQ-img/0.jpg")
    for name, part in (
        ("paris", r"lacks the test pictures \(paris_eval\.zip\): expected paris_eval_gt or paris_eval/paris_eval_gt"),
        ("places2", "lacks the validation pictures"),
        ("celeba-hq", r"expected CelebAMask-HQ-attribute-anno\.txt .* or list_attr_celeba\.txt .* with CelebA-HQ-to-"),
    ):
        with pytest.raises(ValueError, match=part):
            splits_of(name, tmp_path, Draw(0, 2))


def test_wrong_attribute_files_are_refused(tmp_path: Path) -> None:
    celeba(tmp_path)
    path = tmp_path / "CelebAMask-HQ" / "CelebAMask-HQ-attribute-anno.txt"
    whole = path.read_text()
    for text, part in (
        ("", "is no attribute file"),
        (whole.replace("Male", "Female"), "is no attribute file"),
        (whole.replace("-1 1 -1", "-1 0 -1"), "is no attribute file"),
        (whole[: len(whole) // 2].rpartition("\n")[0], r"is cut off: \d pictures, 12 announced"),
        (whole.replace("12\n", "11\n", 1).replace("5.jpg  -1 -1 -1\n", ""), r"says nothing of 5\.jpg"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=part):
            splits_of("celeba-hq", tmp_path, Draw(0, 2))
    path.write_text(whole)
    for size, part in ((3, "even number"), (10, "5 test pictures were to be drawn of 4 male faces")):
        with pytest.raises(ValueError, match=part):
            splits_of("celeba-hq", tmp_path, Draw(0, size))


def test_splits_are_folders_that_every_command_takes(tmp_path: Path) -> None:
    celeba(tmp_path)
    places_large(tmp_path)
    for name in ("celeba-hq", "places2"):
        splits = splits_of(name, tmp_path, Draw(0, 4))
        write_splits(splits, tmp_path / name)
        for split, content in splits.items():
            assert sorted(names(tmp_path / name / split)) == sorted(names(content))
        with pytest.raises(FileExistsError, match="exists already"):
            write_splits(splits, tmp_path / name)
    with pytest.raises(FileNotFoundError):
        write_splits({"train": tmp_path}, tmp_path / "no" / "folder")
    assert not list(tmp_path.glob(".temperfill-*"))


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["datasets"])
    listed = capsys.readouterr().out
    assert all(f"{name}: {known.title}" in listed for name, known in DATASETS.items())
    places_large(tmp_path)
    cli.main(["datasets", "places2", str(tmp_path), "--output", str(tmp_path / "out"), "--test-size", "4"])
    shown = capsys.readouterr().out
    command = shown.splitlines()[-1].split()
    assert "6 pictures" in shown
    cli.main([*command[1:], "--dry-run"])
    data = json.loads(capsys.readouterr().out)["data"]
    assert [len(list_pictures(Path(data[split][0]))) for split in ("train", "val")] == [6, 5]
    for words, part in ((["paris"], "give the folder of paris"), (["places2", str(tmp_path)], "smaller test size")):
        with pytest.raises(SystemExit):
            cli.main(["datasets", *words])
        assert part in capsys.readouterr().err
