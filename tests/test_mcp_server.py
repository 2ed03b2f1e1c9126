"""The tools for programs of language models, asked for by the client of the protocol's own SDK."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("mcp", reason="needs the extra mcp")
from mcp import Client, StdioServerParameters

from service.clients import TINY, encode, hole, pixels, single, tiny
from temperfill.inpainter import Inpainter
from temperfill.inpainter.models import Models
from temperfill.mcp_server import create
from temperfill.methods.finding import Found
from temperfill.options import OPTIONS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "photo.png").write_bytes(encode(pixels()))
    (folder / "mask.png").write_bytes(encode(hole()))
    (tmp_path / "secret.png").write_bytes(encode(pixels()))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    return folder


def asked(server: Any, questions: Callable[[Client], Awaitable[None]]) -> None:
    """Connects the SDK's client and asks."""

    async def main() -> None:
        async with Client(server) as client:
            await questions(client)

    asyncio.run(main())


def read(path: Path) -> Any:
    return np.asarray(Image.open(path))


def test_rectangles_and_masks_are_erased_and_all_else_stays(folder: Path) -> None:
    steps: list[tuple[float, float | None]] = []

    async def note(progress: float, total: float | None, _: str | None) -> None:
        steps.append((progress, total))

    async def questions(client: Client) -> None:
        size = await client.call_tool("picture_size", {"image": "photo.png"})
        assert size.structured_content == {"width": 56, "height": 40, "format": "PNG"}
        boxes = [{"left": 0, "top": 0, "right": 8, "bottom": 9}, {"left": 40, "top": 30, "right": 56, "bottom": 40}]
        words = {"image": "photo.png", "output": "boxes.png", "rectangles": boxes}
        done = await client.call_tool("erase", words, progress_callback=note)
        assert not done.is_error, done
        said = done.structured_content
        assert (said["output"], said["width"], said["height"], said["warnings"]) == ("boxes.png", 56, 40, [])
        assert said["filled"] == pytest.approx((72 + 160) / 56 / 40)
        done = await client.call_tool("erase", {"image": "photo.png", "mask": "mask.png", "output": "masked.png"})
        assert not done.is_error, done

    asked(create(single(tiny), folder), questions)
    erased = np.zeros((40, 56), np.bool_)
    erased[:9, :8] = erased[30:, 40:] = True
    for name, where in (("boxes.png", erased), ("masked.png", hole() > 0)):
        after = read(folder / name)
        assert (after[~where] == pixels()[~where]).all()
        assert (after[where] != pixels()[where]).any()
    assert steps
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})


BOX = {"left": 0, "top": 0, "right": 8, "bottom": 8}


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"image": "../secret.png"}, "outside the folder"),
        ({"image": "link.png"}, "outside the folder"),
        ({"output": "/tmp/elsewhere.png"}, "outside the folder"),
        ({"image": "nothing.png"}, "no file nothing.png"),
        ({"output": "photo.png"}, "set overwrite"),
        ({"output": "result.xyz"}, "unknown suffix"),
        ({"rectangles": []}, "nothing to erase"),
        ({"rectangles": [BOX | {"right": 57}]}, "56x40"),
        ({"rectangles": [BOX | {"width": 5}]}, "width"),
        ({"filling": {"mask_dilate": -1}}, "mask_dilate"),
        ({"filling": {"textur": "copy"}}, "textur"),
    ],
)
def test_what_cannot_be_done_is_told(folder: Path, changed: dict[str, Any], word: str) -> None:
    async def questions(client: Client) -> None:
        words = {"image": "photo.png", "output": "result.png", "rectangles": [BOX]} | changed
        answer = await client.call_tool("erase", words)
        assert answer.is_error
        assert word in answer.content[0].text

    def load() -> Any:
        raise AssertionError("the model is not needed for this")

    before = sorted(path.name for path in folder.iterdir())
    asked(create(single(load), folder), questions)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_an_output_is_replaced_where_that_is_said_and_options_have_their_ranges(folder: Path) -> None:
    async def questions(client: Client) -> None:
        words = {"image": "photo.png", "output": "photo.png", "rectangles": [BOX], "overwrite": True}
        assert not (await client.call_tool("erase", words | {"filling": {"mask_dilate": 2}})).is_error
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"picture_size", "erase"}
        schema = tools["erase"].input_schema
        options = schema["$defs"]["Filling"]["properties"]
        assert set(options) == {option.name for option in OPTIONS}
        assert options["temperature"]["minimum"] == 0.1
        assert all(option["description"] for option in options.values())
        assert "context" not in schema["properties"]

    asked(create(single(tiny), folder), questions)
    assert (read(folder / "photo.png")[:10, :10] != pixels()[:10, :10]).any()
    assert (read(folder / "photo.png")[12:] == pixels()[12:]).all()


def test_a_model_is_chosen_by_one_of_the_names_that_the_instructions_tell(folder: Path) -> None:
    def load(found: Found) -> Any:
        return tiny() if found.label == "tiny" else Inpainter.from_pretrained("telea")

    async def questions(client: Client) -> None:
        words = {"image": "photo.png", "rectangles": [BOX]}
        for model in ("", "tiny", "quick"):
            done = await client.call_tool("erase", words | {"output": f"by-{model}.png", "model": model})
            assert not done.is_error, done
        refused = await client.call_tool("erase", words | {"output": "x.png", "model": "other"})
        assert refused.is_error
        assert "known are tiny, quick" in refused.content[0].text

    server = create(Models([TINY, Found("quick", None, "telea")], load), folder)
    assert "tiny (no terms stated); quick (OpenCV: Apache-2.0)" in (server.instructions or "")
    asked(server, questions)
    assert (read(folder / "by-.png") == read(folder / "by-tiny.png")).all()
    assert (read(folder / "by-quick.png") != read(folder / "by-tiny.png")).any()


def test_the_command_speaks_on_stdin_and_stdout(folder: Path) -> None:
    words = ["-m", "temperfill", "mcp", "--folder", str(folder), "--model", "telea"]

    async def questions(client: Client) -> None:
        words = {"image": "photo.png", "output": "result.tif", "rectangles": [BOX]}
        assert not (await client.call_tool("erase", words)).is_error

    asked(StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ)), questions)
    assert (read(folder / "result.tif")[8:] == pixels()[8:]).all()
