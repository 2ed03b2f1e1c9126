"""The route for dust: a mask of the picture's size and the number of marks."""

import asyncio
import sys

import numpy as np
import pytest

from service.clients import decode, encode, running


def test_dust_is_marked() -> None:
    pixels = np.full((96, 128, 3), 110, np.uint8) + np.arange(128, dtype=np.uint8)[None, :, None] // 4
    rows, columns = np.mgrid[:96, :128]
    cover = (3.5 - np.hypot(rows - 42, columns - 62)).clip(0, 1)[..., None]
    pixels = (pixels * (1 - cover) + 250 * cover + np.random.default_rng(0).normal(0, 2, pixels.shape)).astype(np.uint8)

    async def main() -> None:
        async with running() as (client, _):
            image = {"image": ("scan.png", encode(pixels), "image/png")}
            answer = await client.post("/v1/dust", files=image)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text
            mask = np.asarray(decode(answer.content))
            assert mask.shape == (96, 128)
            assert (mask[40:45, 60:65] == 255).all()
            assert (mask > 0).mean() < 0.02
            assert answer.headers["x-marks"] == "1"
            answer = await client.post("/v1/dust", files=image, data={"dust": "dark"})
            assert answer.headers["x-marks"] == "0"
            assert not np.asarray(decode(answer.content)).any()
            answer = await client.post("/v1/dust", files=image, data={"sensitivity": "2"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "out_of_range")

    asyncio.run(main())


def test_a_server_without_scipy_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("temperfill.dust")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)  # as if it were not installed

    async def main() -> None:
        async with running() as (client, _):
            image = {"image": ("scan.png", encode(np.zeros((16, 16, 3), np.uint8)), "image/png")}
            answer = await client.post("/v1/dust", files=image)
            assert (answer.status_code, answer.json()["error"]["code"]) == (501, "not_installed")
            sentence = "finding dust needs scipy, which this server lacks: pip install 'temperfill[dust]'"
            assert answer.json()["error"]["message"] == sentence

    asyncio.run(main())
