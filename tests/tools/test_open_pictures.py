"""The pictures of `open`: rebuilt from their repositories, and attributed as the manifest says."""

import csv
import hashlib
import io
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.open_pictures import as_jpegs, attribution, parse_path, read_manifest, rebuild

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "docs" / "record" / "open"
LICENCES = r"CC0-1\.0|public domain|CC BY \d\.\d|MIT|BSD-2-Clause|Apache-2\.0|Unlicense"


def photograph(width: int, height: int) -> tuple[np.ndarray, bytes]:
    ramp = np.linspace(0, 255, width)[None, :, None] * np.linspace(0.2, 1, height)[:, None, None]
    pixels = np.broadcast_to(ramp, (height, width, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return pixels, file.getvalue()


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)), np.float32)


def test_every_picture_has_an_author_a_free_licence_and_a_commit() -> None:
    rows, commits = read_manifest(RECORD)
    assert len(rows) >= 3000
    assert len({row.file for row in rows}) == len({row.sha256 for row in rows}) == len(rows)
    for row in rows:
        assert re.fullmatch(LICENCES, row.licence), row
        assert re.fullmatch(r"[0-9a-f]{64}", row.sha256), row
        assert row.author, row
    assert {row.repository for row in rows} == set(commits)
    assert all(re.fullmatch(r"[0-9a-f]{40}", commit) for commit in commits.values())


def test_the_attribution_in_the_wheel_is_that_of_the_manifest() -> None:
    written = (ROOT / "src" / "temperfill" / "weights" / "open-attribution.txt").read_text(encoding="utf-8")
    assert written == attribution(RECORD)
    for row in read_manifest(RECORD)[0]:
        assert not row.licence.startswith("CC BY") or row.author in written


@pytest.mark.parametrize("path", ["a/b [1].jpg", "plain.png"])
def test_a_part_stands_behind_the_path(path: str) -> None:
    assert parse_path(path) == (path, "")
    assert parse_path(f"{path} [frame 3]") == (path, "frame 3")


def test_whole_pictures_and_crops() -> None:
    pixels, content = photograph(1600, 800)
    plain, optimised = as_jpegs(content)
    assert decoded(plain).shape == (384, 768, 3)
    assert len(optimised) < len(plain)
    np.testing.assert_array_equal(decoded(plain), decoded(optimised))
    crop = decoded(as_jpegs(content, "crop at short side 900: 384,384,384,384")[0])
    np.testing.assert_allclose(crop, pixels[384:768, 384:768], atol=8)
    half = decoded(as_jpegs(content, "1/2 scale, crop 96,8,384,384")[0])
    np.testing.assert_allclose(half, pixels[16:784:2, 192:960:2], atol=8)
    with pytest.raises(ValueError, match="unknown part"):
        as_jpegs(content, "the left half")


def test_rebuilding_tells_what_differs(tmp_path: Path) -> None:
    place, record, content = tmp_path / "repositories" / "a+b", tmp_path / "record", photograph(300, 400)[1]
    work = tmp_path / "work"
    work.mkdir()
    (work / "photo.png").write_bytes(content)
    git = ["git", "-C", str(work), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    place.parent.mkdir()
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(place)], check=True)
    record.mkdir()
    sums = [hashlib.sha256(coded).hexdigest() for coded in as_jpegs(content)]
    rows = [
        ("plain", "photo.png", sums[0]),
        ("opt", "photo.png", sums[1]),
        ("other", "photo.png", "0"),
        ("no", "x", "0"),
    ]
    with (record / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "repository", "path", "author", "licence", "sha256"])
        writer.writerows((f"train/{name}.jpg", "a/b", path, "me", "MIT", total) for name, path, total in rows)
    (record / "sources.csv").write_text(f"repository,commit,evidence\na/b,{commit},none\n")
    for _ in range(2):  # the second time all but the last are there
        found = [wrong for _, wrong in rebuild(record, tmp_path / "repositories", tmp_path / "photos")]
        assert found[:3] == ["", "", "differs from the manifest"]
        assert found[3].startswith("not written")
