"""Where ``temperfill edit --output`` writes, and that its end is the user's."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from service.clients import Held, code, decode, encode, pixels, running, tiny
from temperfill import cli, images
from temperfill.service.output import Output
from temperfill.service.settings import ServiceLimits


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photos" / "holidays.PNG"
    path.parent.mkdir()
    path.write_bytes(encode(pixels(), dpi=(300, 300)))
    return path


@pytest.mark.parametrize(
    ("place", "suffix", "expected"),
    [
        ("new/folder", ".png", "new/folder/holidays.png"),
        ("photos", ".png", "photos/holidays.png"),
        ("photos", ".PNG", "photos/holidays-filled.PNG"),
        ("photos", ".jpg", "photos/holidays.jpg"),
        ("photos/holidays.PNG", ".png", "photos/holidays.PNG"),
        ("other.TIF", ".tif", "other.TIF"),
    ],
)
def test_names_of_results(photo: Path, tmp_path: Path, place: str, suffix: str, expected: str) -> None:
    assert Output(tmp_path / place, photo).target(suffix) == tmp_path / expected


@pytest.mark.parametrize("name", ["result.heic", "missing/result.png"])
def test_places_that_cannot_be_written_are_refused_before_the_work(photo: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises((OSError, ValueError), match="cannot write"):
        Output(tmp_path / name, photo)


def test_results_replace_the_photo_with_its_metadata_and_it_can_be_opened_again(photo: Path) -> None:
    before, output = photo.read_bytes(), Output(photo, photo)
    result = pixels(seed=1)

    settings = ServiceLimits(keep_metadata=True)

    async def main() -> None:
        async with running(tiny, settings, start_image=photo, output=output) as (client, service):
            assert (await client.get("/start")).json()["saves"] is True
            files = {"image": ("result.png", encode(result)), "original": ("photo", before)}
            for _ in range(2):
                response = await client.post("/v1/output", files=files)
                assert (response.status_code, response.json()) == (200, {"name": photo.name}), response.text
            saved = decode(photo.read_bytes())
            assert (np.asarray(saved) == result).all()
            assert round(saved.info["dpi"][0]) == 300
            assert images.is_marked(images.open_picture(photo))
            assert (await client.get("/start/image")).content == before  # a reload finds its work by it
            assert output.saved == [photo]
            assert not service.is_done.is_set()
            assert (await client.post("/v1/output/done")).status_code == 204
            assert service.is_done.is_set()

    asyncio.run(main())


def test_a_full_disk_is_told_and_the_routes_are_there_for_this_alone(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async def main() -> None:
        async with running(Held, start_image=photo) as (client, _):
            assert (await client.post("/v1/output/done")).status_code == 404
        async with running(tiny, start_image=photo, output=Output(photo.parent, photo)) as (client, _):
            monkeypatch.setattr("temperfill.files.atomic_write", fail)
            response = await client.post("/v1/output", files={"image": ("result.png", encode(pixels()))})
            assert (response.status_code, code(response)) == (507, "not_written")
            assert "No space left" in response.json()["error"]["message"]

    asyncio.run(main())


def test_the_option_needs_a_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        cli.main(["edit", "--output", str(tmp_path)])
    assert "--output needs an IMAGE" in capsys.readouterr().err
