"""The plug-in for GIMP 3 against a stub of the parts of GIMP that it asks for; the command that it starts is real."""

import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.editor.driver import photo

FILE = Path(__file__).parents[2] / "integrations" / "gimp" / "temperfill" / "temperfill.py"
ROOT = Path(__file__).parents[2]


@dataclass
class StubImage:
    """An image of GIMP: what is visible of it, its selection, its layers from the top."""

    pixels: NDArray[np.uint8]
    selection: NDArray[np.uint8]
    layers: list[Any] = field(default_factory=lambda: ["Background"])
    copies: list["StubImage"] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def duplicate(self) -> "StubImage":
        self.copies.append(StubImage(self.pixels, self.selection))
        return self.copies[-1]

    def merge_visible_layers(self, _: str) -> None:
        self.calls.append("merged")

    def delete(self) -> None:
        self.calls.append("deleted")

    def get_width(self) -> int:
        return self.pixels.shape[1]

    def get_height(self) -> int:
        return self.pixels.shape[0]

    def get_selection(self) -> Any:
        def get(area: tuple[int, ...], scale: float, form: str, _: str) -> bytes:
            assert (area, scale, form) == ((0, 0, self.get_width(), self.get_height()), 1.0, "Y u8")
            return self.selection.tobytes()

        return SimpleNamespace(get_buffer=lambda: SimpleNamespace(get=get))

    def undo_group_start(self) -> None:
        self.calls.append("undo")

    def undo_group_end(self) -> None:
        self.calls.append("end")

    def insert_layer(self, layer: Any, _: None, position: int) -> None:
        self.layers.insert(position, layer)


class StubProcedure:
    def __init__(self, name: str) -> None:
        self.name = name
        self.defaults: dict[str, Any] = {}

    def add_string_argument(self, name: str, _label: str, _help: str, default: str, _flags: int) -> None:
        self.defaults[name] = default

    def add_int_argument(
        self, name: str, _label: str, _help: str, low: int, high: int, default: int, _flags: int
    ) -> None:
        assert low <= default <= high
        self.defaults[name] = default

    def new_return_values(self, status: str, error: Any) -> tuple[str, str]:
        return status, str(error or "")

    def __getattr__(self, name: str) -> Any:
        assert name in ("set_image_types", "set_menu_label", "add_menu_path", "set_documentation", "set_attribution")
        return lambda *_: None


def stub() -> dict[str, ModuleType]:
    """The modules gi and gi.repository."""
    gi, repository = ModuleType("gi"), ModuleType("gi.repository")
    files = SimpleNamespace(new_for_path=lambda path: path)

    def save(_mode: str, image: StubImage, path: str, _options: None) -> bool:
        Image.fromarray(image.pixels).save(path)
        return True

    def load_layer(_mode: str, _image: StubImage, path: str) -> Any:
        pixels = np.asarray(Image.open(path))
        return SimpleNamespace(pixels=pixels, set_name=lambda name: None)

    gimp: dict[str, Any] = {
        "PlugIn": type("PlugIn", (), {"__gtype__": None}),
        "RunMode": SimpleNamespace(NONINTERACTIVE="alone", INTERACTIVE="asked"),
        "PDBProcType": SimpleNamespace(PLUGIN="plug-in"),
        "PDBStatusType": SimpleNamespace(SUCCESS="success", EXECUTION_ERROR="error", CANCEL="cancel"),
        "MergeType": SimpleNamespace(CLIP_TO_IMAGE="clip"),
        "Selection": SimpleNamespace(is_empty=lambda image: not image.selection.any()),
        "ImageProcedure": SimpleNamespace(new=lambda plugin, name, kind, run, data: StubProcedure(name)),
        "file_save": save,
        "file_load_layer": load_layer,
    }
    gimp |= dict.fromkeys(("main", "progress_init", "progress_pulse", "displays_flush"), lambda *_: None)
    gi.require_version = lambda *_: None  # type: ignore[attr-defined]
    gi.repository = repository  # type: ignore[attr-defined]
    parts = {
        "Gimp": SimpleNamespace(**gimp),
        "Gio": SimpleNamespace(File=files),
        "GLib": SimpleNamespace(Error=str),
        "GObject": SimpleNamespace(ParamFlags=SimpleNamespace(READWRITE=3)),
        "Gegl": SimpleNamespace(
            Rectangle=SimpleNamespace(new=lambda *sides: sides), AbyssPolicy=SimpleNamespace(NONE="none")
        ),
    }
    for name, part in parts.items():
        setattr(repository, name, part)
    return {"gi": gi, "gi.repository": repository}


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, module in stub().items():
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("gimp_temperfill", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Temperfill()


def run(plugin: Any, image: StubImage, **options: Any) -> tuple[str, str]:
    (name,) = plugin.do_query_procedures()
    procedure = plugin.do_create_procedure(name)
    values = procedure.defaults | {key.replace("_", "-"): value for key, value in options.items()}
    config = SimpleNamespace(get_property=values.__getitem__)
    result: tuple[str, str] = plugin.run(procedure, "alone", image, [], config, None)
    return result


def image(empty: bool = False) -> StubImage:
    selection = np.zeros((60, 80), np.uint8)
    if not empty:
        selection[20:30, 30:50] = 255
        selection[19, 30:50] = 100  # soft, and not half selected
    return StubImage(photo(80, 60), selection)


def test_the_selection_is_filled_as_a_layer(plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "temperfill"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m temperfill "$@" --model telea\n')
    command.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    picture = image()
    assert run(plugin, picture, command=str(command), mask_dilate=0) == ("success", "")
    layer, background = picture.layers
    assert background == "Background"
    where = picture.selection > 127
    assert layer.pixels.shape == (60, 80, 4)
    assert ((layer.pixels[..., 3] == 255) == where).all()
    assert (layer.pixels[where][:, :3] != picture.pixels[where]).any()
    assert picture.calls == ["undo", "end"]
    assert [copy.calls for copy in picture.copies] == [["merged", "deleted"]]  # the image itself stays


@pytest.mark.parametrize(
    ("empty", "options", "word"),
    [
        (True, {}, "Nothing is selected"),
        (False, {"command": "/nowhere/temperfill"}, "/nowhere/temperfill"),
        (False, {"command": "false"}, "false ended with status 1"),
    ],
)
def test_failures_are_told_and_change_nothing(plugin: Any, empty: bool, options: dict[str, Any], word: str) -> None:
    picture = image(empty)
    status, text = run(plugin, picture, **options)
    assert status == "error"
    assert word in text
    assert picture.layers == ["Background"]
    assert all(copy.calls[-1] == "deleted" for copy in picture.copies)


def test_gimp_can_start_it() -> None:
    """GIMP wants a folder of the file's name, and a file that can be executed."""
    assert FILE.parent.name == FILE.stem
    assert FILE.stat().st_mode & 0o111
    assert FILE.read_text(encoding="utf-8").startswith("#!/usr/bin/env python3\n")
