"""The page and the service together, with a small network: nothing between them is pretended."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile  # comes with scikit-image
from PIL import ExifTags, Image, ImageCms

from heic.make import FOLDER
from service.editor.driver import OpenEditor, photo, served
from temperfill import images

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a service whose network takes lines and has random weights."""
    pytest.importorskip("fastapi", reason="needs the service's packages")
    import torch

    from service.clients import single
    from temperfill.config import GeneratorConfig
    from temperfill.inpainter import Inpainter
    from temperfill.methods.ours import Ours
    from temperfill.nets.generator import Generator
    from temperfill.service.app import create_app

    def load() -> Inpainter:
        torch.manual_seed(0)
        return Inpainter(Ours(Generator(GeneratorConfig(width=4, head_dim=4, sketch=True)).eval()), "cpu", "fp32")

    with served(create_app(single(load))) as port:
        yield f"http://127.0.0.1:{port}/"


def test_a_photo_is_filled_asked_about_and_saved(open_editor: OpenEditor, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    original = photo(256, 192)
    Image.fromarray(original).save(path)
    editor = open_editor()
    page = editor.page
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
    for number, name in ((1, "Result 1"), (2, "Result 2")):
        page.locator("#history li button").nth(number).click()
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


def make_tiff(path: Path) -> None:
    """Lying on its side, with a colour profile."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(photo(96, 128)).save(path, exif=exif, icc_profile=profile, compression="tiff_lzw")


def make_deep_tiff(path: Path) -> None:
    tifffile.imwrite(path, photo(128, 96).astype(np.uint16) * 251, photometric="rgb")


def make_ppm(path: Path) -> None:
    Image.fromarray(photo(128, 96)).save(path)


def make_heic(path: Path) -> None:
    pytest.importorskip("pi_heif", reason="needs the extra heif")
    path.write_bytes((FOLDER / "phone.heic").read_bytes())


@pytest.mark.parametrize(
    ("name", "make", "saved_as", "word"),
    [
        ("scan.tif", make_tiff, "scan-filled.tif", "same as the photo (TIFF)"),
        ("deep.tif", make_deep_tiff, "deep-filled.tif", "same as the photo (TIFF)"),
        ("scan.ppm", make_ppm, "scan-filled.ppm", "same as the photo (PPM)"),
        ("phone.heic", make_heic, "phone-filled.jpg", "JPEG (HEIC can only be read)"),
    ],
)
def test_what_browsers_cannot_show_is_filled_and_saved(
    open_editor: OpenEditor, tmp_path: Path, name: str, make: Callable[[Path], None], saved_as: str, word: str
) -> None:
    """A TIFF keeps its known pixels, as the package reads them; a damaged file in between changes nothing."""
    path = tmp_path / name
    make(path)
    original = images.open_picture(path)
    editor = open_editor()
    page = editor.page
    editor.open(path)
    assert f"{original.size[1]} × {original.size[0]}" in page.locator("#facts").inner_text()
    seen, expected = editor.colour_at(editor.centre), original.pixels[original.size[0] // 2, original.size[1] // 2]
    if name == "deep.tif":
        expected = expected / 257
    assert np.abs(seen.astype(int) - expected).max() <= 40  # between noisy pixels, enlarged
    assert page.locator("#notice").is_hidden()
    editor.stroke([editor.centre])
    mask = editor.marks()
    (tmp_path / f"torn-{name}").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    page.set_input_files("#photo-file", tmp_path / f"torn-{name}")
    editor.wait_for_notice(f"torn-{name} cannot be opened. The image is .*damaged")
    assert (editor.marks() == mask).all()
    editor.fill()
    saved = editor.save(tmp_path / "saved")
    assert page.locator("#format option").first.text_content() == word
    assert saved.name == saved_as
    found = images.open_picture(saved)
    assert (found.size, found.pixels.dtype) == (original.size, original.pixels.dtype)  # 16 bits stay 16
    assert found.info.get("icc_profile") == original.info.get("icc_profile")
    if name != "phone.heic":
        assert (found.pixels[~mask] == original.pixels[~mask]).all()
        assert (found.pixels[mask] != original.pixels[mask]).any()
    lossless = images.open_picture(editor.save(tmp_path / "saved", "png")).pixels
    assert (lossless[~mask] == original.pixels[~mask]).all()
