"""What a photographer called excellent in the editor must stay. Here is what no other test holds:

- exact pixels outside the mask: test_engines.py; one-sentence errors, and a server that goes away: test_bad_input.py
- 24 megapixels, painting by keys, no error on a phone: test_strokes.py, and every test by ``open_editor``
- where it came from: test_fill.py and test_history.py
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

import temperfill
from service.clients import single
from service.editor.driver import EditorPage, OpenEditor, photo, served
from service.editor.fake_server import FakeServer
from temperfill.service.app import create_app
from temperfill.service.settings import ServiceLimits

pytestmark = pytest.mark.browser
ORIGINAL = photo(320, 240)


@pytest.fixture(scope="module")
def own_service() -> Iterator[str]:
    """Of one user, as the editor of the command line has it."""
    pytest.importorskip("fastapi", reason="needs the service's packages")
    with served(create_app(single(), ServiceLimits(keep_metadata=True))) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def address(request: pytest.FixtureRequest) -> str:
    """Of the service for tests that ask for it, else of the server with a predictable fill."""
    if "own_service" in request.fixturenames:
        return str(request.getfixturevalue("own_service"))
    server: FakeServer = request.getfixturevalue("server")
    return server.address


def fill_middle(editor: EditorPage, path: Path) -> np.ndarray:
    """Opens a picture and fills a stroke in it; gives the mask."""
    editor.open(path)
    x, y = editor.centre
    editor.stroke([(x - 30, y), (x + 30, y + 10)])
    mask = editor.marks()
    editor.fill()
    return mask


@pytest.mark.usefixtures("own_service")
@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_grey_and_opacity_are_kept_exactly(open_editor: OpenEditor, tmp_path: Path, mode: str) -> None:
    channels = {"L": ORIGINAL[..., 0], "RGBA": np.dstack([ORIGINAL, ORIGINAL[::-1, :, 1]])}
    picture = Image.fromarray(np.ascontiguousarray(channels[mode]), mode)
    picture.save(tmp_path / "picture.png")
    editor = open_editor()
    mask = fill_middle(editor, tmp_path / "picture.png")
    found = Image.open(editor.save(tmp_path / "saved"))
    assert found.mode == mode
    before, after = np.asarray(picture), np.asarray(found)
    assert (after[~mask] == before[~mask]).all()
    if mode != "L":
        assert (after[..., -1] == before[..., -1]).all()


@pytest.mark.usefixtures("own_service")
def test_a_turned_phone_photo_comes_out_upright_with_its_camera(open_editor: OpenEditor, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Model] = 6, "a phone"
    Image.fromarray(ORIGINAL).save(tmp_path / "phone.jpg", exif=exif, quality=92)
    editor = open_editor()
    mask = fill_middle(editor, tmp_path / "phone.jpg")
    assert mask.shape == (320, 240)
    found = Image.open(editor.save(tmp_path / "saved"))
    assert (found.format, found.size) == ("JPEG", (240, 320))
    assert found.getexif()[ExifTags.Base.Model] == "a phone"
    assert found.getexif().get(ExifTags.Base.Orientation, 1) == 1
    upright = np.rot90(np.asarray(Image.open(tmp_path / "phone.jpg")), -1).astype(int)
    assert np.abs(np.asarray(found).astype(int) - upright)[~mask].mean() < 4


def test_a_fill_is_cancelled_at_once(open_editor: OpenEditor, server: FakeServer, tmp_path: Path) -> None:
    """The fastest of three, as a busy machine spoils some."""
    Image.fromarray(ORIGINAL).save(tmp_path / "beach.png")
    server.behaviour.steps = 1
    editor = open_editor()
    editor.open(tmp_path / "beach.png")
    editor.stroke([editor.centre])
    seconds = []
    for _ in range(3):
        editor.page.keyboard.press("f")
        editor.page.wait_for_selector("#progress:not([hidden])")
        seconds.append(
            editor.page.evaluate(
                """async () => {
                  const status = document.querySelector("#status");
                  const start = performance.now();
                  document.querySelector("[data-action=cancel]").click();
                  while (status.textContent !== "Cancelled.") await new Promise((done) => setTimeout(done, 10));
                  return (performance.now() - start) / 1000;
                }"""
            )
        )
    assert min(seconds) < 0.5
    assert editor.marks().any()


def test_strokes_and_results_survive_the_death_of_the_server(
    open_editor: OpenEditor, server: FakeServer, tmp_path: Path
) -> None:
    Image.fromarray(ORIGINAL).save(tmp_path / "beach.png")
    editor = open_editor()
    first = fill_middle(editor, tmp_path / "beach.png")
    x, y = editor.centre
    editor.stroke([(x - 60, y - 60), (x + 60, y - 60)])
    second, port = editor.marks(), server.server_address[1]
    server.stop()
    editor.page.keyboard.press("f")
    editor.wait_for_notice("The server does not answer.*are kept here")
    assert (editor.marks() == second).all()
    saved = np.asarray(Image.open(editor.save(tmp_path / "saved")))
    assert (saved[~first] == ORIGINAL[~first]).all()
    assert (saved[first] != ORIGINAL[first]).any()
    editor.page.keyboard.press("f")
    editor.wait_for_notice("The server does not answer")
    again = FakeServer(port)
    again.start()
    editor.page.click("[data-notice=action]")
    editor.wait_for_status("Result 2 is ready")
    again.stop()


def test_thin_holes_need_no_second_look() -> None:
    """A power line before a grainy sky and a blemish on it, by the bundled model: what is under them is met."""
    rows, columns = np.mgrid[:256, :256]
    grain = np.random.default_rng(0).normal(0, 2, (256, 256, 1))
    sky = np.stack([120 + rows / 4, 150 + rows / 5, 215 - columns / 16], 2) + grain
    hole = np.abs(rows - 60 - columns / 5) < 5
    hole |= np.hypot(rows - 190, columns - 120) < 8
    pixels = sky.clip(0, 255).astype(np.uint8)
    spoilt = np.where(hole[..., None], np.uint8(20), pixels)
    filled = temperfill.inpaint(spoilt, hole, output_type="np")
    difference = np.abs(filled.astype(float) - pixels)[hole]
    assert difference.mean() < 4  # the grain alone is 2 * 2 / sqrt(pi), 2.3
    assert np.abs((filled.astype(float) - sky)[hole].mean(0)).max() < 1.5
