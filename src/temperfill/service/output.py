"""The place to which the editor saves when it was started with one, and the end of its work."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from temperfill import files, images
from temperfill.service import forms, work
from temperfill.service.refusals import Refusal

if TYPE_CHECKING:
    from temperfill.service.app import Service


class Output:
    """A folder, or one file, that results of a photo are written to.

    Args:
        path: a file if its suffix is that of a picture, else a folder, which is created where it is missing.
        photo: that is edited; a folder gets its name, or NAME-filled where that is the photo itself.

    Raises:
        OSError: cannot be written to.
        ValueError: a format that cannot be written.
    """

    def __init__(self, path: Path, photo: Path) -> None:
        self.photo = photo
        self.is_file = path.suffix.lower() in images.SUFFIXES and not path.is_dir()
        self.path = path
        if self.is_file:
            images.check_output(path)
        else:
            path.mkdir(parents=True, exist_ok=True)
            images.check_output(path / "result.png")
        self.saved: list[Path] = []
        self.is_done = threading.Event()
        self._before: bytes | None = None

    @property
    def suffix(self) -> str:
        """Of the file; empty where the photo's own format decides."""
        return self.path.suffix.lower() if self.is_file else ""

    def target(self, suffix: str) -> Path:
        """The file for a result of a suffix."""
        if self.is_file:
            return self.path
        path = self.path / f"{self.photo.stem}{suffix}"
        same = path.resolve() == self.photo.resolve()
        return path.with_stem(f"{path.stem}-filled") if same else path

    def original(self) -> bytes:
        """The photo as it was before a result replaced it."""
        return self._before or self.photo.read_bytes()

    def write(self, content: bytes, suffix: str) -> Path:
        """Writes a result; gives its file.

        Raises:
            Refusal: cannot be written (507); an earlier file is intact.
        """
        path = self.target(suffix)
        try:
            if path.resolve() == self.photo.resolve():
                self._before = self.original()
            files.atomic_write(path, lambda file: file.write(content))
        except OSError as error:
            raise Refusal(507, "not_written", f"{path.name} cannot be written: {error.strerror or error}") from None
        if path not in self.saved:
            self.saved.append(path)
        return path


class OutputRoutes:
    """Routes of the editor for its output.

    Args:
        service: does the work.
        output: where results go.
    """

    def __init__(self, service: "Service", output: Output) -> None:
        self.service = service
        self.output = output

    async def save(self, request: Request) -> Response:
        """Writes a result, with the metadata of its original, and tells the name of the file."""
        async with self.service.form(request, forms.CONVERT_FIELDS, forms.CONVERT_FILES) as (job, form):
            (path, _), headers = await self.service.run(request, job, lambda _: self._save(form), counts=False)
        return JSONResponse({"name": path.name}, headers=headers)

    def _save(self, form: forms.Form) -> tuple[Path, str]:
        if self.output.suffix:
            form = form.with_fields(format=self.output.suffix)
        is_learned = self.service.is_learned(form.model)
        content, suffix = work.convert(form, self.service.settings.max_pixels, True, is_learned)
        return self.output.write(content, suffix), suffix

    async def done(self) -> Response:
        """Ends the work; the server ends with it."""
        self.output.is_done.set()
        return Response(status_code=204)
