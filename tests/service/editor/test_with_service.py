"""The page and the service together, with a small network: nothing between them is pretended."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from service.editor.driver import EditorPage, photo

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a service whose network takes lines and has random weights."""
    uvicorn = pytest.importorskip("uvicorn", reason="needs the service's packages")
    pytest.importorskip("fastapi", reason="needs the service's packages")
    import torch

    from temperfill.config import GeneratorConfig
    from temperfill.inpainter import Inpainter
    from temperfill.methods.ours import Ours
    from temperfill.nets.generator import Generator
    from temperfill.service.app import create_app

    def load() -> Inpainter:
        torch.manual_seed(0)
        return Inpainter(Ours(Generator(GeneratorConfig(width=4, head_dim=4, sketch=True)).eval()), "cpu", "fp32")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(load, "tiny"), log_level="error", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join(10)


def test_a_photo_is_filled_asked_about_and_saved(browser: "Browser", address: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    original = photo(256, 192)
    Image.fromarray(original).save(path)
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
    editor = EditorPage(page, address, 1)
    page.wait_for_selector("[data-tool=sketch][aria-disabled=false]", state="attached")
    editor.open(path)
    x, y = editor.centre
    editor.stroke([(x - 40, y), (x + 40, y + 20)])
    page.keyboard.press("l")
    editor.stroke([(x - 40, y), (x + 40, y + 20)])
    mask = editor.marks()
    editor.fill()
    page.keyboard.press(".")
    editor.fill()
    results = []
    for name in ("Result 1", "Result 2"):
        page.locator("#history li button", has_text=name.replace("Result ", "") + " ·").click()
        editor.wait_for_title(name)
        saved = editor.save(tmp_path / name)
        assert saved.name == "photo-filled.png"
        results.append(np.asarray(Image.open(saved)))
        assert (results[-1][~mask] == original[~mask]).all()
        assert (results[-1][mask] != original[mask]).any()
    assert (results[0][mask] != results[1][mask]).any()
    page.keyboard.press("w")
    page.mouse.click(*editor.centre)
    page.wait_for_selector("#sources-heads section")
    assert "temperature" in page.locator("#sources-heads section").first.inner_text()
    page.click("[data-action=close-sources]")
    page.click("[data-action=continue]")
    assert not editor.marks().any()
    context.close()
    assert failures == []
