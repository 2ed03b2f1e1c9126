"""Cases of the fuzzer: whole files of every kind, mutations of their bytes, and what reading them may come to."""

import functools
import importlib.util
import io
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

KINDS = ("pictures", "weights", "states", "configs")
_STREAM = {kind: number for number, kind in enumerate(KINDS)}
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 0.5, 2**70, -(2**70), 1e308, float("nan"), float("inf")),
    *("", "x", "base", "1", "\0", "\ud800", "a" * 10_000, [], {}, [1], [None], {"x": 1}, [[[]]], "cuda:99999999999"),
)


def run_case(kind: str, seed: int, number: int, dry: bool = False) -> str:
    """What came of a case: "read", or "refused: " and the type of a documented error.

    Args:
        kind: of KINDS.
        seed: of all cases.
        number: of the case.
        dry: read the undamaged file.

    Raises:
        Exception: whatever else the reading raises; AssertionError for a damaged file with other content.
    """
    rng = np.random.default_rng((seed, _STREAM[kind], number))
    names, check = {"pictures": whole_pictures, "weights": _weights, "states": _states, "configs": _configs}[kind]()
    whole = names[int(rng.integers(len(names)))]
    change = mutate_json if kind == "configs" and rng.random() < 0.5 else mutate
    content = whole if dry else change(whole, rng, names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            check(content, whole)
        except (ValueError, OSError) as error:
            return f"refused: {type(error).__name__}" if str(error) else "bad: an error without a message"
    return "read"


def mutate(content: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """One to four changes: bytes, whole numbers, cuts, copies, pieces of other files, or the end missing."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            break
        # Half of the changes near the start, where headers are.
        end = len(data) if rng.random() < 0.5 else min(len(data), 128)
        place = int(rng.integers(end))
        length = int(rng.integers(1, 17))
        kind = int(rng.integers(7))
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[place : place + length] = rng.bytes(length)
        elif kind == 2:
            value, width = _EXTREMES[int(rng.integers(len(_EXTREMES)))], int(rng.choice([1, 2, 4]))
            data[place : place + width] = (value % 256**width).to_bytes(
                width, "big" if rng.random() < 0.5 else "little"
            )
        elif kind == 3:
            del data[place : place + length * int(rng.choice([1, 16]))]
        elif kind == 4:
            data[place:place] = data[place : place + length] * int(rng.integers(1, 9))
        elif kind == 5:
            other = others[int(rng.integers(len(others)))]
            start = int(rng.integers(len(other)))
            data[place : place + length] = other[start : start + length * 4]
        else:
            del data[int(rng.integers(len(data))) :]
    return bytes(data)


def mutate_json(content: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """One to three values replaced, left out, or put under another name; still JSON."""
    data = json.loads(content)
    for _ in range(int(rng.integers(1, 4))):
        holder = data
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = keys[int(rng.integers(len(keys)))]
            if isinstance(holder[key], dict | list) and rng.random() < 0.8:
                holder = holder[key]
                continue
            kind = int(rng.integers(4))
            if kind == 0:
                del holder[key]
            elif kind == 1 and isinstance(holder, dict):
                holder[f"{key}x"] = holder.pop(key)
            else:
                holder[key] = _VALUES[int(rng.integers(len(_VALUES)))]
            break
    return json.dumps(data).encode()


@functools.cache
def whole_pictures() -> tuple[list[bytes], Callable[[bytes, bytes], None]]:
    """Files of every format and mode, and what reading one must come to."""
    from PIL import Image

    from temperfill import images

    rng = np.random.default_rng(0)
    smooth = np.linspace(0, 255, 24 * 20 * 3).reshape(24, 20, 3)
    rgb = Image.fromarray(np.clip(smooth + rng.normal(0, 20, smooth.shape), 0, 255).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    exif.get_ifd(0x8825)[1] = "N"
    wide = Image.fromarray(np.linspace(0, 65535, 480).reshape(24, 20).astype(np.uint16))
    animation = [rgb.quantize(16), rgb.rotate(90).resize(rgb.size).quantize(16)]
    made: list[tuple[Any, str, dict[str, Any]]] = [
        (rgb, "PNG", {"exif": exif.tobytes()}),
        (rgb.convert("RGBA"), "PNG", {}),
        (rgb.convert("LA"), "PNG", {}),
        (rgb.quantize(16), "PNG", {"transparency": 3}),
        (rgb.convert("1"), "PNG", {}),
        (wide, "PNG", {}),
        (rgb, "JPEG", {"exif": exif.tobytes(), "quality": 80}),
        (rgb, "JPEG", {"progressive": True}),
        (rgb.convert("CMYK"), "JPEG", {}),
        (rgb.convert("L"), "JPEG", {}),
        (rgb, "WEBP", {"exif": exif.tobytes()}),
        (rgb.convert("RGBA"), "WEBP", {"lossless": True}),
        (rgb, "WEBP", {"save_all": True, "append_images": [rgb.rotate(180)]}),
        (rgb, "TIFF", {"exif": exif.tobytes()}),
        (rgb, "TIFF", {"compression": "tiff_lzw"}),
        (wide, "TIFF", {}),
        (
            Image.fromarray(np.linspace(0, 1, 480, dtype=np.float32).reshape(24, 20)),
            "TIFF",
            {"compression": "tiff_deflate"},
        ),
        (rgb, "TIFF", {"compression": "jpeg"}),
        (rgb, "BMP", {}),
        (rgb.quantize(16), "BMP", {}),
        (animation[0], "GIF", {"save_all": True, "append_images": animation[1:]}),
        (rgb, "PPM", {}),
        (wide, "PPM", {}),
        (rgb.convert("1"), "PPM", {}),
        (rgb, "AVIF", {"quality": 50}),
    ]
    contents = []
    for image, kind, options in made:
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        contents.append(stream.getvalue())
    deep = images.open_picture((smooth * 257).astype(np.uint16))
    floats = images.open_picture((smooth / 255).astype(np.float32))
    contents += [images.encode_picture(deep, Path(f"deep.{suffix}")) for suffix in ("png", "tif", "ppm")]
    contents += [images.encode_picture(floats, Path("floats.tif")), _two_pages(deep.pixels)]
    if importlib.util.find_spec("pi_heif"):
        contents += [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "heic").glob("*.heic"))]

    def check(content: bytes, whole: bytes) -> None:
        picture = images.open_picture(io.BytesIO(content), 4_000_000)
        assert picture.size[0] * picture.size[1] <= 4_000_000
        rgb = images.to_rgb(picture)
        assert rgb.shape == (*picture.size, 3)
        assert rgb.min() >= 0
        assert rgb.max() <= 1
        # What was read can be written, with whatever metadata came along.
        written = images.encode_picture(picture, Path("copy.tif" if picture.mode in ("F", "CMYK") else "copy.png"))
        images.to_mask(io.BytesIO(content), picture.size, channel="alpha" if picture.alpha is not None else "luminance")
        assert images.open_picture(io.BytesIO(written)).size == picture.size

    return contents, check


def _two_pages(pixels: Any) -> bytes:
    import tifffile

    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder=">") as writer:
        for tile in (None, (16, 16)):
            writer.write(pixels, photometric="rgb", planarconfig="contig", tile=tile, compression="zlib")
    return file.getvalue()


def _saved(write: Callable[[Path], None], suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        write(path)
        return path.read_bytes()


def _read_as_file(read: Callable[[Path], Any], suffix: str) -> Callable[[bytes], Any]:
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / f"file{suffix}"

    def reading(content: bytes, _keep: Any = folder) -> Any:
        path.write_bytes(content)
        return read(path)

    return reading


@functools.cache
def _weights() -> tuple[list[bytes], Callable[[bytes, bytes], None]]:
    import torch

    from temperfill.config import GeneratorConfig
    from temperfill.nets.generator import Generator
    from temperfill.weights_files import load_generator, save_generator

    torch.manual_seed(0)
    nets = [Generator(GeneratorConfig(width=2, head_dim=2, detail=detail)) for detail in (False, True)]
    types = (torch.float32, torch.float16)
    contents = [
        _saved(lambda path, n=net, d=dtype: save_generator(path, n, dtype=d), ".safetensors")  # type: ignore[misc]
        for net, dtype in zip(nets, types, strict=True)
    ]
    reading = _read_as_file(load_generator, ".safetensors")
    whole_states = {content: reading(content).state_dict() for content in contents}

    def check(content: bytes, whole: bytes) -> None:
        state = reading(content).state_dict()
        assert any(
            state.keys() == known.keys() and all(torch.equal(state[name], known[name]) for name in known)
            for known in whole_states.values()
        ), "a damaged file was loaded with other weights"

    return contents, check


@functools.cache
def _states() -> tuple[list[bytes], Callable[[bytes, bytes], None]]:
    import torch

    from temperfill.runs.folder import load_state, save_state

    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(3)).sum().backward()
    optimizer.step()
    networks = {"layer": layer.state_dict(), "optimizer": optimizer.state_dict()}
    state = {"networks": networks, "progress": {"step": 3, "best_loss": float("inf"), "name": "x"}}
    contents = [_saved(lambda path: save_state(path, state), ".pt")]
    reading = _read_as_file(load_state, ".pt")
    expected = repr(reading(contents[0]))

    def check(content: bytes, whole: bytes) -> None:
        assert repr(reading(content)) == expected, "a damaged state was loaded with other content"

    return contents, check


@functools.cache
def _configs() -> tuple[list[bytes], Callable[[bytes, bytes], None]]:
    from temperfill.config import to_json
    from temperfill.systems.table import SYSTEMS, load_run, published

    contents = [json.dumps(to_json(published(name)), indent=1).encode() for name in SYSTEMS]
    reading = _read_as_file(load_run, ".json")

    def check(content: bytes, whole: bytes) -> None:
        to_json(reading(content))  # what is read is valid, and can be written

    return contents, check
