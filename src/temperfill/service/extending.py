"""A larger canvas over HTTP: a picture comes, a larger one goes, filled as it might go on."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import Response

from temperfill import images
from temperfill.options import CANVAS_OPTIONS
from temperfill.service import forms, work
from temperfill.service.pages import picture_response
from temperfill.service.refusals import Refusal

if TYPE_CHECKING:  # torch is imported while the model is loaded, behind the first answers
    from temperfill.inpainter import Inpainter
    from temperfill.service.app import Service

PATH = "/v1/extend"
"""Address of the route."""


def route(service: "Service") -> Callable[[Request], Awaitable[Response]]:
    """The route of a service."""

    async def extend(request: Request) -> Response:
        """A picture on a larger canvas, filled; the answer is a picture file."""
        max_pixels, keep = service.settings.max_pixels, service.settings.keep_metadata
        async with service.form(request, forms.EXTEND_FIELDS, forms.IMAGE_ALONE) as (job, form):
            (content, suffix), headers = await service.run(
                request,
                job,
                lambda on_progress: fill(service.ready(form.model), form, max_pixels, on_progress, keep, job.show),
                form,
            )
        return picture_response(content, suffix, headers)

    return extend


def fill(
    inpainter: "Inpainter",
    form: forms.Form,
    max_pixels: int,
    on_progress: work.OnProgress,
    keep_metadata: bool = False,
    on_draft: Callable[[work.Draft], None] | None = None,
) -> tuple[bytes, str]:
    """A picture on a larger canvas as a file like that of ``work.fill``, and its suffix; for several seeds as there.

    Args:
        inpainter: does the work.
        form: with an image and the fields of ``EXTEND_FIELDS``.
        max_pixels: largest width times height, of the new canvas, too.
        on_progress: as for ``work.fill``.
        keep_metadata: as for ``work.fill``.
        on_draft: as for ``work.fill``; boxes are those of the new canvas, and may reach beyond it.

    Raises:
        Refusal: a damaged picture, or no side that grows (422), a canvas that is too large, or too little memory (413).
        ValueError: a method that fails.
    """
    sides = {option.name: form.fields[option.name] for option in CANVAS_OPTIONS}
    with work.refusals():
        with work.invalid_input():
            picture = images.open_picture(form.image, max_pixels, "the image")
        height, width = images.extended_size(picture.size, **sides)
        if height * width > max_pixels:
            limit = f"the limit is {max_pixels / 1e6:g} million pixels"
            raise Refusal(413, "too_large", f"the new canvas has {width}x{height} pixels; {limit}")
        shown = picture if keep_metadata else work.plain(picture)
        path = work.path_for(shown, form.fields["format"] or form.suffix, form.options.layer)  # before the work
        show = None if on_draft is None else work.drafts(on_draft)
        tries = inpainter.canvas_tries(images.extend(picture, **sides), form.options, on_progress, show)
        files = [work.encoded(filled, form, path, keep_metadata) for filled in tries]
        return work.answer(files, form.options.seeds, path.suffix)
