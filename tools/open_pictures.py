"""Rebuilds the pictures that the model ``open`` was trained on, from the manifest alone.

    python tools/open_pictures.py docs/record/open --output photos/open [--repositories clones]
    python tools/open_pictures.py docs/record/open --attribution src/temperfill/weights/open-attribution.txt

``manifest.csv`` names for every picture its repository, its path there, its author, its licence and the SHA-256 of the
file that this program writes; ``sources.csv`` has the commit of each repository. Repositories are cloned without their
files' contents, which git fetches one by one as they are read. Pictures get EXIF's orientation, RGB, a short side of
at most 384 pixels (Lanczos) and JPEG at quality 90 without metadata. A path may end in what is taken of the picture:

    [1/2 scale, crop 768,0,384,384]              a crop of the picture at half its size
    [crop at short side 800: 384,0,384,384]      a crop of the picture at that short side, or its own if smaller
    [frame 36]                                   a frame of a video, needs OpenCV

The sums hold for the Pillow of constraints.txt; with another libjpeg or Pillow a picture may differ in some bits, which
is said and does not stop the program. The second command writes the file of attribution that the wheel has: the authors
of all pictures under CC BY, and the notices of the other licences (``notices.txt``).
"""

import argparse
import csv
import hashlib
import io
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

SIDE, QUALITY = 384, 90


class Row(NamedTuple):
    """A line of the manifest."""

    file: str
    repository: str
    path: str
    author: str
    licence: str
    sha256: str


def read_manifest(folder: Path) -> tuple[list[Row], dict[str, str]]:
    """The pictures of a folder's ``manifest.csv``, and the commit of every repository in its ``sources.csv``."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [Row(**line) for line in csv.DictReader(file)]
    with (folder / "sources.csv").open(newline="", encoding="utf-8") as file:
        commits = {line["repository"]: line["commit"] for line in csv.DictReader(file)}
    return rows, commits


def parse_path(path: str) -> tuple[str, str]:
    """A path and what is taken of the picture, empty for all of it."""
    found = re.fullmatch(r"(.*?)(?: \[([^\]]*)\])?", path, re.DOTALL)
    assert found is not None
    return found[1], found[2] or ""


def as_jpegs(content: bytes, part: str = "") -> tuple[bytes, bytes]:
    """The JPEG file of a picture, or of a part of it: plainly coded, and with optimised tables, as some are.

    Args:
        content: of the picture's file.
        part: as in a path of the manifest.

    Raises:
        ValueError: unknown part.
        OSError: no picture.
    """
    image = _frame(content, int(part[6:])) if part.startswith("frame ") else _opened(content)
    if found := re.fullmatch(r"1/(\d) scale, crop (\d+),(\d+),(\d+),(\d+)", part):
        scale, x, y, width, height = map(int, found.groups())
        image = image.resize((image.width // scale, image.height // scale), Image.Resampling.LANCZOS)
        image = image.crop((x, y, x + width, y + height))
    elif found := re.fullmatch(r"crop at short side (\d+): (\d+),(\d+),(\d+),(\d+)", part):
        side, x, y, width, height = map(int, found.groups())
        image = _shrunk(image, side).crop((x, y, x + width, y + height))
    elif part and not part.startswith("frame "):
        raise ValueError(f"unknown part of a picture: {part}")
    plain, optimised = io.BytesIO(), io.BytesIO()
    image = _shrunk(image, SIDE)
    image.save(plain, "JPEG", quality=QUALITY)
    image.save(optimised, "JPEG", quality=QUALITY, optimize=True)
    return plain.getvalue(), optimised.getvalue()


def _opened(content: bytes) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(content))
    if image.format == "JPEG":  # decodes large ones at a half or less, which gives other bits than a resize
        image.draft("RGB", (1600, 1600))
    return ImageOps.exif_transpose(image).convert("RGB")


def _frame(content: bytes, number: int) -> Image.Image:
    import cv2

    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(content)
        file.flush()
        video = cv2.VideoCapture(file.name)
        for _ in range(number + 1):
            if not video.grab():
                raise OSError(f"the video has no frame {number}")
        return Image.fromarray(video.retrieve()[1][..., ::-1])


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    """The picture with this short side, or as it is where its own is not larger."""
    scale = side / min(image.size)
    if scale >= 1:
        return image
    size = (max(side, round(image.width * scale)), max(side, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def git_folder(repositories: Path, name: str, commit: str) -> Path:
    """The git directory of a repository ``owner/name``, which is cloned without contents unless it is there."""
    place = repositories / name.replace("/", "+")
    for folder in (place / "repo" / ".git", place / "repo", place):
        if (folder / "HEAD").is_file():
            return folder
    place.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "--bare", str(place)], check=True)
    _git(place, "remote", "add", "origin", f"https://github.com/{name}")
    _git(place, "fetch", "-q", "--filter=blob:none", "--depth=1", "origin", commit)
    return place


def _git(folder: Path, *words: str) -> bytes:
    return subprocess.run(["git", f"--git-dir={folder}", *words], check=True, capture_output=True).stdout


def rebuild(folder: Path, repositories: Path, output: Path) -> Iterator[tuple[Row, str]]:
    """Writes all pictures of a manifest that are not there, and gives each with what is wrong with it, if anything."""
    rows, commits = read_manifest(folder)
    for row in rows:
        target = output / row.file
        if not target.is_file():
            path, part = parse_path(row.path)
            try:
                git = git_folder(repositories, row.repository, commits[row.repository])
                coded = as_jpegs(_git(git, "cat-file", "blob", f"{commits[row.repository]}:{path}"), part)
            except (subprocess.CalledProcessError, OSError, ValueError) as error:
                yield row, f"not written: {error}"
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(next((c for c in coded if _sum(c) == row.sha256), coded[0]))
        same = _sum(target.read_bytes()) == row.sha256
        yield row, "" if same else "differs from the manifest"


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def attribution(folder: Path) -> str:
    """Text that names the authors of all pictures under CC BY, with the notices of other licences."""
    rows, _ = read_manifest(folder)
    total = Counter(row.licence for row in rows)
    lines = [
        "The weights open.safetensors were trained on the photographs named here and on others in the public domain or",
        "under CC0. None of them is in this package. All were reduced, some cropped.",
        "",
        *(f"{count:5}  {licence}" for licence, count in sorted(total.items(), key=lambda item: (-item[1], item[0]))),
    ]
    for licence in sorted(name for name in total if name.startswith("CC BY ")):
        lines += ["", f"Under {licence} (https://creativecommons.org/licenses/by/{licence[6:]}/):", ""]
        lines += sorted({row.author for row in rows if row.licence == licence})
    return "\n".join(lines) + "\n\n" + (folder / "notices.txt").read_text(encoding="utf-8")


def main() -> None:
    """Reads the options, rebuilds, and says what differs; or writes the attribution."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with manifest.csv and sources.csv")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--output", type=Path, help="folder for the pictures")
    action.add_argument("--attribution", type=Path, help="file to write")
    parser.add_argument("--repositories", type=Path, default=Path("repositories"))
    options = parser.parse_args()
    if options.attribution:
        options.attribution.write_text(attribution(options.folder), encoding="utf-8")
        return
    good = bad = 0
    for row, wrong in rebuild(options.folder, options.repositories, options.output):
        good, bad = good + (not wrong), bad + bool(wrong)
        if wrong:
            print(f"{row.file} ({row.repository}: {row.path}): {wrong}")
    print(f"{good} pictures as in the manifest, {bad} not")


if __name__ == "__main__":
    main()
