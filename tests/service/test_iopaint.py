"""IOPaint's route: the requests of its clients, by their form, and the answers that they expect."""

import asyncio
import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.clients import HEIGHT, WIDTH, decode, encode, hole, pixels, running
from temperfill.service import iopaint
from temperfill.service.settings import ServiceLimits

SETTINGS = ServiceLimits(iopaint=True)
KNOWN = hole() == 0


def url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def of_krita() -> dict[str, Any]:
    """As krita-iopaint posts it: pixels of a layer with its opacity, the selection in grey, soft at its rim."""
    layer = np.dstack([pixels(), np.full((HEIGHT, WIDTH, 1), 255, np.uint8)])
    selection = hole()
    selection[9, 12:30] = selection[20, 12:30] = 90
    return {"image": url(encode(layer)), "mask": url(encode(selection))}


def of_the_page() -> dict[str, Any]:
    """As IOPaint's page posts it, and so that of darktable-iopaint: strokes on a transparent canvas, all settings."""
    strokes = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    strokes[~KNOWN] = 255
    words = {"ldm_sampler": "plms", "cv2_flag": "INPAINT_NS", "hd_strategy": "Crop", "sd_sampler": "UniPC"}
    words |= {"prompt": "", "negative_prompt": "", "powerpaint_task": "text-guided"}
    words |= {"controlnet_method": "", "brushnet_method": ""}
    switches = ("use_croper", "use_extender", "sd_match_histograms", "sd_lcm_lora", "enable_controlnet")
    switches += ("enable_brushnet", "enable_powerpaint_v2")
    numbers = {"ldm_steps": 30, "cv2_radius": 5, "hd_strategy_crop_trigger_size": 640, "hd_strategy_crop_margin": 256}
    numbers |= {"hd_strategy_resize_limit": 2048, "sd_mask_blur": 12, "sd_strength": 1.0, "sd_steps": 50}
    numbers |= {"sd_guidance_scale": 7.5, "p2p_image_guidance_scale": 1.5, "controlnet_conditioning_scale": 0.4}
    numbers |= {"brushnet_conditioning_scale": 1.0, "sd_seed": -1}
    numbers |= {f"{of}_{side}": 0 for of in ("croper", "extender") for side in ("x", "y", "width", "height")}
    rest = {"zits_wireframe": True, "paint_by_example_example_image": None} | dict.fromkeys(switches, False)
    image = url(encode(pixels()), "application/octet-stream")
    return {"image": image, "mask": url(encode(strokes))} | words | numbers | rest


def of_a_script() -> dict[str, Any]:
    """Plain base64, a JPEG, and a seed."""
    image, mask = (base64.b64encode(content).decode() for content in (encode(pixels(), "JPEG"), encode(hole())))
    return {"image": image, "mask": mask, "sd_seed": 1_000_000_007}


@pytest.mark.parametrize(
    ("body", "mode", "seed"), [(of_krita(), "RGBA", "0"), (of_the_page(), "RGB", ""), (of_a_script(), "RGB", "7")]
)
def test_requests_of_its_clients_are_filled(body: dict[str, Any], mode: str, seed: str) -> None:
    async def main() -> None:
        async with running(settings=SETTINGS) as (client, _):
            response = await client.post("/api/v1/inpaint", json=body)
            assert (response.status_code, response.headers["content-type"]) == (200, "image/png"), response.text
            filled = decode(response.content)
            assert (filled.format, filled.size, filled.mode) == ("PNG", (WIDTH, HEIGHT), mode)
            sent = Image.open(io.BytesIO(base64.b64decode(body["image"].partition(",")[2] or body["image"])))
            before, after = np.asarray(sent.convert("RGB")), np.asarray(filled.convert("RGB"))
            assert (after[KNOWN] == before[KNOWN]).all()
            assert (after[~KNOWN] != before[~KNOWN]).any()
            found = response.headers["x-seed"]
            assert found == (seed or found)
            assert 0 <= int(found) < 10**9
            assert float(response.headers["x-seconds"]) > 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"[" * 100_000, 400, "JSON"),
        (b"\xff{}", 400, "JSON"),
        (b"[]", 400, "object"),
        (json.dumps(of_krita() | {"image": None}).encode(), 400, "image must be"),
        (json.dumps(of_krita() | {"mask": "data:image/png;base64,A"}).encode(), 400, "mask is not in base64"),
        (json.dumps(of_krita() | {"mask": url(b"no picture")}).encode(), 415, "the mask"),
        (json.dumps(of_krita() | {"mask": url(encode(hole(8, 8)))}).encode(), 422, "size"),
        (json.dumps(of_krita() | {"sd_seed": True}).encode(), 422, "sd_seed"),
        (json.dumps(of_krita() | {"image": url(encode(pixels(200, 300)))}).encode(), 413, "300x200"),
    ],
)
def test_errors_have_the_keys_that_its_page_shows(body: bytes, status: int, word: str) -> None:
    async def main() -> None:
        async with running(settings=ServiceLimits(iopaint=True, max_pixels=10_000)) as (client, service):
            response = await client.post("/api/v1/inpaint", content=body)
            said = response.json()
            assert response.status_code == status, said
            assert set(said) == {"error", "detail", "body", "errors"}
            assert said["errors"] == said["detail"]
            assert word in said["errors"]
            assert not service.jobs._places

    asyncio.run(main())


def test_it_is_off_unless_asked_for_and_needs_the_token() -> None:
    async def main() -> None:
        async with running() as (client, _):
            assert (await client.post(iopaint.PATH, json=of_krita())).status_code == 404
        async with running(settings=ServiceLimits(iopaint=True, token="secret")) as (client, _):
            assert (await client.post(iopaint.PATH, json=of_krita())).status_code == 401
            bearer = {"Authorization": "Bearer secret"}
            assert (await client.get("/openapi.json", headers=bearer)).json()["paths"][iopaint.PATH]["post"]

    asyncio.run(main())
