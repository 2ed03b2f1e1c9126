"""What the commands share: words to options, refusals, and lines on stderr."""

import contextlib
import difflib
import io
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any, TypeVar

from temperfill.errors import printable

T = TypeVar("T")


def parse(options: type[T], command: str, words: list[str], default: T | None = None, flat: bool = False) -> T:
    """The options of one command; only its parser is built, to start fast.

    Args:
        options: dataclass of the options.
        command: for messages.
        words: after its name.
        default: values of options that are not given.
        flat: nested configurations have flags without their names.
    """
    import tyro

    extra: Any = {} if default is None else {"default": default}
    # None is a word only where it can undo something: in a configuration that is given.
    markers = (tyro.conf.DisallowNone,) if default is None else ()
    extra["config"] = (*markers, tyro.conf.OmitArgPrefixes) if flat else markers
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(options, prog=f"temperfill {command}", args=words, **extra)
    except SystemExit as end:
        if not end.code:  # help
            print(end="", flush=True)
            raise
        raise ValueError(_one_line(said.getvalue()) + f"; see temperfill {command} --help") from None


def _one_line(box: str) -> str:
    """What tyro says in its box, without the frame, its title, and the help that it repeats."""
    text = " ".join(re.sub(r"[^\x00-\x7f]|-{4,}", " ", " ".join(box.splitlines()[1:])).split())
    text = re.split(r" For full helptext| Argument helptext", text)[0].rstrip(" .")
    # A configuration names its field; here that is a flag.
    return re.sub(r"^Error parsing [\w.-]+: (\w+) must", lambda m: f"--{m[1].replace('_', '-')} must", text)


def require(condition: bool, message: str) -> None:
    """Raises ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def near(name: str, known: Any) -> str:
    """A question with the known name that is nearest, or nothing."""
    nearest = difflib.get_close_matches(name, list(known), 1)
    return f", did you mean {nearest[0]}?" if nearest else ""


def overview(program: str, arguments: str, about: str, choices: dict[str, str]) -> str:
    """The help of a program that does one of several things.

    Args:
        program: its name.
        arguments: of its call; the last one is what to do.
        about: what it is for.
        choices: values of the last argument, and what each does.
    """
    choice, width = arguments.split()[-1], max(map(len, choices))
    rows = [f"  {name:{width}}  {summary}" for name, summary in choices.items()]
    foot = f"{program} {choice} --help shows the options of each."
    return "\n".join([f"usage: {program} {arguments} ...", "", about, "", f"{choice}:", *rows, "", foot])


def say(text: str) -> None:
    """Writes a line to stderr, where it does not mix with results."""
    print(f"temperfill: {printable(text)}", file=sys.stderr, flush=True)


class Lines(logging.Handler):
    """Writes what the package logs to stderr: how far it is as it stands, faults as the command's own."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            say(f"error: {text}")
        else:
            print(printable(text), file=sys.stderr, flush=True)


@contextlib.contextmanager
def logged() -> Iterator[None]:
    """Shows meanwhile what the package logs."""
    log, lines = logging.getLogger("temperfill"), Lines()
    level = log.level
    log.addHandler(lines)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(lines)
        log.setLevel(level)
