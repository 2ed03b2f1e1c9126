#!/usr/bin/env python3
"""A plug-in for GIMP 3 that fills the selection with temperfill, as a new layer.

Copy the folder of this file into GIMP's folder of plug-ins; see docs/use/programs.md. It starts the command
``temperfill``, since GIMP's own Python has neither temperfill nor what it needs.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import gi

gi.require_version("Gegl", "0.4")
gi.require_version("Gimp", "3.0")
from gi.repository import Gegl, Gimp, Gio, GLib, GObject  # noqa: E402 - once the versions are said

PROCEDURE = "plug-in-temperfill"
_BLINK = 0.2  # seconds between two movements of the progress bar
_TAIL = 400  # characters of what the command says that are shown


def fill(image, config):
    """Fills the selection of an image; gives the new layer, which is not in the image yet.

    Args:
        image: of GIMP, with a selection.
        config: of the procedure.

    Raises:
        OSError: there is no such command.
        RuntimeError: the command failed; says what it said.
    """
    shown = image.duplicate()
    try:
        shown.merge_visible_layers(Gimp.MergeType.CLIP_TO_IMAGE)
        with tempfile.TemporaryDirectory(prefix="temperfill-") as folder:
            picture, mask, layer = (Path(folder) / name for name in ("picture.png", "mask.pgm", "layer.png"))
            if not Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, shown, Gio.File.new_for_path(str(picture)), None):
                raise RuntimeError("the image cannot be written as PNG")
            mask.write_bytes(_selection(shown))
            words = [config.get_property("command"), "inpaint", str(picture), "--mask", str(mask)]
            words += ["--output", str(layer), "--layer", "--force"]
            for name in ("mask-dilate", "seed"):
                words += [f"--{name}", str(config.get_property(name))]
            _run(words)
            return Gimp.file_load_layer(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(layer)))
    finally:
        shown.delete()


def _selection(image):
    """The selection as a file in PGM; white is selected."""
    width, height = image.get_width(), image.get_height()
    area = Gegl.Rectangle.new(0, 0, width, height)
    values = image.get_selection().get_buffer().get(area, 1.0, "Y u8", Gegl.AbyssPolicy.NONE)
    return b"P5 %d %d 255\n" % (width, height) + bytes(values)


def _run(words):
    """Runs the command while the progress bar moves."""
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as child:
        said = None
        while said is None:
            try:
                said = child.communicate(timeout=_BLINK)[1]
            except subprocess.TimeoutExpired:
                Gimp.progress_pulse()
    if child.returncode:
        raise RuntimeError(said.strip()[-_TAIL:] or f"{words[0]} ended with status {child.returncode}")


class Temperfill(Gimp.PlugIn):
    """The plug-in."""

    def do_query_procedures(self):
        """Names of its procedures."""
        return [PROCEDURE]

    def do_set_i18n(self, name):
        """It has no translations."""
        return False

    def do_create_procedure(self, name):
        """Describes its procedure."""
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, self.run, None)
        procedure.set_image_types("*")
        procedure.set_menu_label("_Fill Selection (temperfill)")
        procedure.add_menu_path("<Image>/Filters/Enhance/")
        about = "Fills the selection as the image might go on, as a new layer"
        procedure.set_documentation(about, f"{about}. What is visible is looked at; nothing else is changed.", name)
        procedure.set_attribution("temperfill", "temperfill", "2026")
        both = GObject.ParamFlags.READWRITE
        command = "Name or path of the command temperfill"
        procedure.add_string_argument("command", "_Command", command, "temperfill", both)
        procedure.add_int_argument("mask-dilate", "_Grow", "Pixels by which the selection grows", 0, 1024, 2, both)
        procedure.add_int_argument("seed", "_Try", "Another try gives another texture", 0, 999_999_999, 0, both)
        return procedure

    def run(self, procedure, mode, image, drawables, config, data):
        """Asks for the options, where there is somebody to ask, and fills."""
        if Gimp.Selection.is_empty(image):
            return _failed(procedure, "Nothing is selected: select what is to be filled.")
        if mode == Gimp.RunMode.INTERACTIVE and not _agreed(procedure, config):
            return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
        Gimp.progress_init("temperfill fills the selection")
        try:
            layer = fill(image, config)
        except (OSError, RuntimeError) as error:
            return _failed(procedure, str(error))
        image.undo_group_start()
        layer.set_name("temperfill")
        image.insert_layer(layer, None, 0)
        image.undo_group_end()
        Gimp.displays_flush()
        return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)


def _agreed(procedure, config):
    gi.require_version("GimpUi", "3.0")
    from gi.repository import GimpUi

    GimpUi.init(PROCEDURE)
    dialog = GimpUi.ProcedureDialog.new(procedure, config)
    dialog.fill(None)
    agreed = dialog.run()
    dialog.destroy()
    return agreed


def _failed(procedure, text):
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, GLib.Error(text))


Gimp.main(Temperfill.__gtype__, sys.argv)
