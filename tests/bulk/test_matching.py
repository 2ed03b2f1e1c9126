"""Which mask is whose, names of results, parts of a job."""

import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from temperfill.bulk.matching import Task, match, one_mask, output_name, with_avoid


def test_masks_are_matched_by_stem_in_the_same_subfolder() -> None:
    plan = match(["a.jpg", "sub/a.JPG", "b.png", "notes.txt"], ["a.png", "sub/a.webp", "c.png"])
    assert plan.tasks == (Task("a.jpg", "a.png", "a.jpg"), Task("sub/a.JPG", "sub/a.webp", "sub/a.JPG"))
    assert (plan.unmasked, plan.unused, plan.ignored) == (("b.png",), ("c.png",), 1)
    assert plan.pictures == 3


def test_numbered_masks_give_a_result_each() -> None:
    plan = match(["x.jpg", "y_mask001.jpg"], ["x.png", "x_mask001.png", "x_mask002.png", "y_mask001.png"])
    assert [(task.picture, task.mask, task.output) for task in plan.tasks] == [
        ("x.jpg", "x.png", "x.jpg"),
        ("x.jpg", "x_mask001.png", "x_mask001.jpg"),
        ("x.jpg", "x_mask002.png", "x_mask002.jpg"),
        # The stem of a picture goes before the number of a mask.
        ("y_mask001.jpg", "y_mask001.png", "y_mask001.jpg"),
    ]


def test_masks_beside_their_pictures_are_no_pictures() -> None:
    names = ["a.png", "a_mask001.png", "b.png", "c_mask001.png"]
    plan = match(names, names, together=True)
    assert plan.tasks == (Task("a.png", "a_mask001.png", "a_mask001.png"),)
    assert plan.unmasked == ("b.png", "c_mask001.png")


def test_composed_and_decomposed_names_are_the_same_stem() -> None:
    picture, mask = (unicodedata.normalize(form, "Zürich é.jpg") for form in ("NFC", "NFD"))
    assert match([picture], [mask]).tasks == (Task(picture, mask, picture),)


@pytest.mark.parametrize(
    ("files", "masks", "named"),
    [
        (["a.jpg"], ["a.png", "a.webp"], ["a.png", "a.webp", "a.jpg"]),
        (["a.jpg", "b.jpg"], ["typo/a.png"], ["a.jpg", "typo/a.png"]),
        (["notes.txt"], ["a.png"], ["no pictures"]),
        (["a.jpg", "a.png"], ["a.webp"], ["a.jpg", "a.png", "a.webp"]),
    ],
)
def test_what_is_not_clear_is_refused_before_anything_starts(
    files: list[str], masks: list[str], named: list[str]
) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        match(files, masks, ".webp")
    assert all(name in str(caught.value) for name in named)


def test_two_masks_of_one_picture_can_collide_with_another_picture() -> None:
    with pytest.raises(ValueError, match=r"x_mask1\.png"):
        match(["x.jpg", "x_mask1.png"], ["x_mask1.bmp", "x.png", "x_mask1.webp"], ".png")


def test_one_mask_serves_all_pictures() -> None:
    plan = one_mask(["a.jpg", "sub/b.png"], "m.png")
    assert plan.tasks == (Task("a.jpg", "m.png", "a.jpg"), Task("sub/b.png", "m.png", "sub/b.png"))
    with pytest.raises(ValueError, match=r"a\.jpg and a\.png would both be written to a\.webp"):
        one_mask(["a.jpg", "a.png"], "m.png", ".webp")


def test_formats_are_kept_where_they_can_be_written() -> None:
    assert output_name("d.e/a.b.TIFF") == "d.e/a.b.TIFF"
    assert output_name("a.HEIC") == "a.jpg"
    assert output_name("a.jpg", ".webp", "_mask1") == "a_mask1.webp"


@given(st.sets(st.text("abcé/_1 ", min_size=1, max_size=8), min_size=1), st.integers(1, 5))
def test_parts_cover_the_job_once_and_are_stable(names: set[str], number: int) -> None:
    pictures = sorted({str(PurePosixPath("d", name.strip("/") + "x.png")) for name in names})
    plan = one_mask(pictures, "mask.png")
    parts = [plan.share(index, number) for index in range(1, number + 1)]
    assert sorted(task.picture for part in parts for task in part.tasks) == sorted(t.picture for t in plan.tasks)
    fewer = one_mask(pictures[: max(len(pictures) // 2, 1)], "mask.png")
    for index, part in enumerate(parts, 1):
        assert set(fewer.share(index, number).tasks) <= set(part.tasks)


def test_what_to_avoid_is_found_by_the_stem_of_mask_or_picture() -> None:
    plan = match(["a.jpg", "sub/b.png", "c.png"], ["a_mask1.png", "a_mask2.png", "sub/b.png", "c.png"])
    found = with_avoid(plan, ["a.png", "a_mask2.webp", "sub/b.tif", "notes.txt"])
    assert [task.avoid for task in found.tasks] == ["a.png", "a_mask2.webp", "sub/b.tif", ""]
    assert {task.avoid for task in plan.avoiding("all.png").tasks} == {"all.png"}
    with pytest.raises(ValueError, match=r"none of the 1 files of what is to be avoided \(d\.png\)"):
        with_avoid(plan, ["d.png"])
    with pytest.raises(ValueError, match=r"a\.png and a\.webp both say"):
        with_avoid(plan, ["a.png", "a.webp"])
