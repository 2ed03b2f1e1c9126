"""The command line: arguments to calls, errors to one line and exit status 2; parsing imports nothing heavy.

Each command is a module of this package with its options and ``run(words)``; it is imported when it is called.
"""

import os
import select
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from temperfill.cli.parsing import logged, near, overview, say
from temperfill.errors import tells_of_shortage
from temperfill.extras import how_to_add

USAGE_ERROR = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
COMMANDS = {
    "inpaint": "Fill the hole of a picture.",
    "extend": "Extend the canvas of a picture.",
    "dust": "Find dust and scratches of scans, and fill them.",
    "datasets": "Check public data sets as published, and give their splits.",
    "pack": "Pack pictures into shards for training.",
    "train": "Train a model, or go on with a run.",
    "fine-tune": "Train a model further on your own pictures.",
    "watch": "Show the progress of a training run, or write a page about it.",
    "evaluate": "Measure methods on pictures.",
    "study": "Make the tables and figures of the paper on your pictures.",
    "export": "Write an ONNX file of a model.",
    "prune": "Write a smaller model with the channels of another that matter most.",
    "convert": "Make a weights file of a checkpoint that others released.",
    "bundle": "Write a trained generator in half precision.",
    "models": "List models and methods, with --all their papers, terms and needs.",
    "sketch": "Draw the sketches of pictures, for guided filling.",
    "serve": "Fill pictures over HTTP.",
    "edit": "Open the editor in a browser.",
    "mcp": "Let programs of language models erase in picture files.",
    "sample": "Copy the bundled photograph and its mask into a folder.",
}
"""Commands, each the name of its module, and what they do."""
RENAMED = {name: ["study", name] for name in ("compare", "ablation", "curves", "branches", "guidance")}
RENAMED |= {"methods": ["models", "--all"]}
"""Names of the release before, which work in this one, and what they are called now."""
# Optional packages by the extra that brings them.
_EXTRAS = {
    "torch": "torch",
    "rich": "torch",
    "scipy": "dust",
    "skimage": "baselines",
    "lightning_fabric": "train",
    "lightning": "train",
    "fsspec": "remote",
    "ray": "cluster",
    "pyarrow": "cluster",
    "pandas": "cluster",
    "matplotlib": "report",
    "cv2": "baselines",
    "patchmatch": "baselines",
    "mcp": "mcp",
    "tensorboard": "tensorboard",
    "onnx": "onnx",
    "onnxscript": "onnx",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and ends the process: status 0, 2 after an error, 130 after an interruption.

    Ends quietly, with status 141, where nobody reads what it prints any more, as ``temperfill --help | head -1`` does.

    Args:
        arguments: words after the program's name; None for those of the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _run_and_explain(words)
    except BrokenPipeError:
        _drop_unread()
        raise SystemExit(BROKEN_PIPE) from None


def _run_and_explain(words: list[str]) -> None:
    """Runs a command; an error becomes a line and a status, except that an output is not read any more."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            _run(words)
        print(end="", flush=True)  # here, as an error at the end of the process could not be caught
    except KeyboardInterrupt:
        say("interrupted")
        raise SystemExit(INTERRUPTED) from None
    except (ValueError, OSError, ModuleNotFoundError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not tells_of_shortage(error):
            raise
        if isinstance(error, BrokenPipeError) and any(map(_is_unread, (sys.stdout, sys.stderr))):
            raise
        if "--debug" in words:
            traceback.print_exc()
        say(f"error: {_explain(error)}")
        raise SystemExit(USAGE_ERROR) from None


def _run(words: list[str]) -> None:
    name = words[0] if words else "--help"
    if name in RENAMED:
        now = RENAMED[name]
        say(f"note: temperfill {name} is now temperfill {' '.join(now)}; the old name ends with the next release")
        words = [*now, *words[1:]]
        name = words[0]
    if name in ("-h", "--help"):
        print(overview("temperfill", "[-h] [--version] COMMAND", "Fills holes in pictures.", COMMANDS))
    elif name == "--version":
        import temperfill

        print(temperfill.__version__)
    elif name in COMMANDS:
        from temperfill.cli.memory import keep_freed_memory  # not for --help, which it would slow down

        keep_freed_memory()
        with logged():
            import_module(f"temperfill.cli.{name.replace('-', '_')}").run(words[1:])
    else:
        raise ValueError(f"unknown command {name!r}{near(name, COMMANDS)}; see temperfill --help")


def _is_unread(stream: TextIO | None) -> bool:
    """Whether a stream is a pipe that nobody reads any more; None is one that was closed before the start."""
    if stream is None:
        return False
    if sys.platform == "win32":  # which has no poll
        return True
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _drop_unread() -> None:
    """Lets the outputs that nobody reads end nowhere, else the interpreter complains about what their buffers hold."""
    with Path(os.devnull).open("wb") as nowhere:
        for stream in (sys.stdout, sys.stderr):
            if _is_unread(stream):
                os.dup2(nowhere.fileno(), stream.fileno())


def _explain(error: Exception) -> str:
    """An error in one line."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").split(".")[0]
        extra = _EXTRAS.get(package)
        remedy = how_to_add(extra) if extra else f"pip install {package}"
        return f"this needs the package {package}, which is not installed: {remedy}"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError | RuntimeError):
        return "not enough memory; close other programs, or take smaller pictures"
    return " ".join(str(error).split()) or type(error).__name__


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"warning: {message}")
