"""The page without a server: offline, under a strict policy, below any path; and what it lacks, which it says."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from service.editor.driver import EditorPage, OpenEditor, photo
from service.editor.static_site import ROOT, StaticSite, assemble, build_module

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
RUNTIME = ROOT / "web" / "runtime"
CACHES = "async () => (await caches.keys()).sort()"


@pytest.fixture
def engine() -> str:
    return "static"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.fromarray(photo(320, 240)).save(tmp_path / "beach.png")
    return tmp_path / "beach.png"


@pytest.fixture
def visit(open_editor: OpenEditor, picture: Path) -> EditorPage:
    """The page with a photo and a stroke."""
    editor = open_editor()
    editor.open(picture)
    editor.stroke([editor.centre])
    return editor


def wait_for_caches(page: "Page", wanted: Callable[[list[str]], bool]) -> list[str]:
    """Names of the caches, once they are as wanted."""
    for _ in range(200):
        names: list[str] = page.evaluate(CACHES)
        if wanted(names) and page.evaluate("() => Boolean(navigator.serviceWorker.controller)"):
            return names
        page.wait_for_timeout(50)
    raise AssertionError(f"the caches are {names}")


@pytest.fixture
def own_site(static_folder: Path, tmp_path: Path) -> Iterator[Callable[[], StaticSite]]:
    """Serves a copy of the page that a test may change; each call starts another server at the same port."""
    folder = tmp_path / "own"
    shutil.copytree(static_folder, folder)
    started: list[StaticSite] = []

    def start() -> StaticSite:
        started.append(StaticSite(folder, port=started[0].server_address[1] if started else 0))
        started[-1].start()
        return started[-1]

    yield start
    started[-1].stop()


def test_it_works_without_network_after_the_first_visit_and_takes_new_versions(
    open_editor: OpenEditor, own_site: Callable[[], StaticSite], picture: Path
) -> None:
    """A new version loads only what has changed, and leaves the caches of other pages alone."""
    site = own_site()
    first = open_editor(390, 844)
    page = first.page
    page.goto(site.address)
    page.evaluate("() => caches.open('temperfill /elsewhere/ 1')")
    before = wait_for_caches(page, lambda names: len(names) == 2)
    assert before[1].startswith("temperfill /some/where/ ")
    site.stop()
    page.reload()
    first.open(picture)
    first.stroke([first.centre])
    first.page.keyboard.press("f")
    first.wait_for_notice("The fill failed: Failed to fetch")  # the stand-in asks the server at last
    site = own_site()
    first.fill()

    script = site.folder / "page" / "icon.svg"
    script.write_text(script.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    build = build_module()
    build.keep_offline(site.folder)
    site.asked.clear()
    page.evaluate("async () => (await navigator.serviceWorker.getRegistration()).update()")
    wait_for_caches(page, lambda names: len(names) == 3)
    for _ in range(10):  # the new one takes over between two visits, which takes browsers their time
        page.goto("about:blank")
        page.wait_for_timeout(500)
        page.goto(site.address)
        if len(page.evaluate(CACHES)) == 2:
            break
    after = wait_for_caches(page, lambda names: len(names) == 2)
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert set(site.asked) - {"offline.js"} == {"page/icon.svg"}


def test_a_file_of_another_version_is_not_kept(open_editor: OpenEditor, own_site: Callable[[], StaticSite]) -> None:
    """As while a new version is being copied to the server: the page works, and a later visit tries again."""
    site = own_site()
    script = site.folder / "page" / "icon.svg"
    right = script.read_text(encoding="utf-8")
    script.write_text("<svg/>", encoding="utf-8")
    page = open_editor().page
    page.goto(site.address)
    page.wait_for_selector("#empty:not([hidden])")
    state = """async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      const worker = registration?.installing;
      if (worker) await new Promise((done) => worker.addEventListener("statechange", done, { once: true }));
      return Boolean(registration?.waiting ?? registration?.active);
    }"""
    assert not page.evaluate(state)
    script.write_text(right, encoding="utf-8")
    page.reload()
    wait_for_caches(page, lambda names: len(names) == 1)


def test_what_the_engine_lacks_is_grey_and_says_why(visit: EditorPage) -> None:
    page = visit.page
    for button in ("[data-tool=sources]", "[data-action=tries]"):
        if button == "[data-action=tries]":
            visit.fill()
        assert page.get_attribute(button, "aria-disabled") == "true"
        assert "“temperfill serve”" in (page.get_attribute(button, "title") or "")
        page.click(button, force=True)
        visit.wait_for_notice("“temperfill serve”")
    assert page.locator("#tries").is_hidden()
    page.click("#options-button")
    assert page.is_disabled("#texture")
    assert page.input_value("#texture") == "network"
    assert "copy it" in page.inner_text("[data-why=copies_texture]")
    page.keyboard.press("Escape")
    page.click("[data-action=save]")
    assert page.locator("#format option[value=tiff]").is_disabled()
    note = page.inner_text("#save-note")
    for words in ("EXIF", "colour profile", "8 bits", "TIFF"):
        assert words in note
    page.click("#save [value=no]")
    visit.page.keyboard.press("Control+z")  # marks are back: what is filled again is the same
    visit.page.keyboard.press("f")
    visit.wait_for_status("Nothing changed from Result 1: .* Try another temperature.")


def test_deep_and_partly_transparent_pictures_are_warned_of(open_editor: OpenEditor, tmp_path: Path) -> None:
    Image.fromarray(np.full((60, 80), 40_000, np.uint16)).save(tmp_path / "deep.png")
    editor = open_editor()
    editor.open(tmp_path / "deep.png")
    editor.wait_for_notice("deep.png has 16 bits for each colour. Here it is read, filled and saved with 8.")
    Image.new("RGBA", (80, 60), (90, 120, 60, 128)).save(tmp_path / "glass.png")
    editor.open(tmp_path / "glass.png")
    editor.stroke([editor.centre])
    editor.fill()
    editor.wait_for_notice("Browsers round the colours of partly transparent pixels")


def test_files_that_cannot_be_opened_change_nothing(visit: EditorPage, tmp_path: Path) -> None:
    mask = visit.marks()
    for name, message in (("report.pdf", "is a PDF document"), ("scan.tif", "scan.tif cannot be opened. ")):
        (tmp_path / name).write_bytes(b"%PDF-1.7" if name == "report.pdf" else b"II*\0" + bytes(64))
        visit.page.set_input_files("#photo-file", tmp_path / name)
        visit.wait_for_notice(message)
    assert (visit.marks() == mask).all()


def test_a_turned_jpeg_is_filled_upright_on_a_phone(open_editor: OpenEditor, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = photo(300, 400)
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.jpg", quality=98, subsampling=0, exif=exif)
    editor = open_editor(390, 844, 2, has_touch=True, is_mobile=True)
    editor.open(tmp_path / "turned.jpg")
    editor.stroke([editor.centre, (editor.centre[0] + 20, editor.centre[1])])
    mask = editor.marks()
    editor.fill()
    box = editor.page.locator("#stage").bounding_box()
    assert box is not None
    assert box["height"] >= 600
    result = np.asarray(Image.open(editor.save(tmp_path / "saved", "png")).convert("RGB"))
    assert result.shape == (400, 300, 3)
    assert np.abs(result.astype(int) - upright)[~mask].mean() < 3


def test_a_graphics_card_that_fails_is_replaced_with_a_word(
    open_editor: OpenEditor, site: StaticSite, picture: Path
) -> None:
    editor = open_editor()
    editor.page.goto(f"{site.address}?#device=webgpu")
    editor.open(picture)
    editor.stroke([editor.centre])
    editor.fill()
    editor.wait_for_notice(r"The graphics card could not be used \(WebGPU: no such card\), so the processor filled it.")


def test_a_network_that_cannot_be_loaded_is_told_of(
    open_editor: OpenEditor, own_site: Callable[[], StaticSite], picture: Path
) -> None:
    site = own_site()
    (site.folder / "model.onnx").unlink()
    editor = open_editor()
    editor.page.goto(site.address)
    editor.open(picture)
    editor.stroke([editor.centre])
    editor.page.keyboard.press("f")
    editor.wait_for_notice("The fill failed: the network cannot be loaded: 404")


def tiny_network() -> bytes:
    """What is missing becomes the mean of the picture, as a file of ONNX."""
    onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
    nodes = """
    tiny (uint8[H, W, C] image, uint8[H, W] mask, uint8[h, w] sketch) => (uint8[H, W, C] composite) {
        middle = Constant <value = uint8 {127}> ()
        last = Constant <value = int64[1] {2}> ()
        both = Constant <value = int64[2] {0, 1}> ()
        plane = Greater (mask, middle)
        missing = Unsqueeze (plane, last)
        values = Cast <to = 1> (image)
        mean = ReduceMean (values, both)
        colour = Cast <to = 2> (mean)
        composite = Where (missing, colour, image)
    }"""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18]>{nodes}')
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def test_the_real_runtime_fills_under_the_policy(open_editor: OpenEditor, picture: Path, tmp_path: Path) -> None:
    if not (RUNTIME / "package.json").is_file():
        pytest.skip("onnxruntime-web is not here: python web/build.py --only-runtime")
    assemble(tmp_path / "real", RUNTIME, tiny_network())
    site = StaticSite(tmp_path / "real", {"Content-Security-Policy": build_module().POLICY})
    site.start()
    editor = open_editor()
    editor.page.goto(site.address)
    editor.open(picture)
    editor.stroke([editor.centre])
    mask = editor.marks()
    editor.page.keyboard.press("f")
    editor.wait_for_status("Result 1 is ready", 60)  # 14 MB are compiled first
    saved = np.asarray(Image.open(editor.save(tmp_path / "saved")).convert("RGB"))
    site.stop()
    original = photo(320, 240)
    assert (saved[~mask] == original[~mask]).all()
    assert np.abs(saved.astype(int) - original.mean((0, 1)).astype(int))[mask].max() <= 1
