"""Dust of a scan over HTTP: a picture comes, the mask of its marks goes."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from fastapi import Request
from fastapi.responses import Response

from temperfill import images
from temperfill.extras import how_to_add
from temperfill.options import DUST_OPTIONS, DustOptions
from temperfill.service import forms, work
from temperfill.service.refusals import Refusal

if TYPE_CHECKING:
    from temperfill.service.app import Service

PATH = "/v1/dust"
"""Address of the route."""
FIELDS = {option.name: (forms.parser_of(option), option.default) for option in DUST_OPTIONS}
"""Fields of a request, besides the image."""


def route(service: "Service") -> Callable[[Request], Awaitable[Response]]:
    """The route of a service; it needs no model."""

    async def dust(request: Request) -> Response:
        """Marks of dust on a picture, as a mask in PNG of the size of the upright picture."""
        async with service.form(request, FIELDS, forms.IMAGE_ALONE) as (job, form):
            (content, count), headers = await service.run(
                request, job, lambda _: find(form, service.settings.max_pixels), counts=False
            )
        return Response(content, media_type="image/png", headers=headers | {"X-Marks": str(count)})

    return dust


def find(form: forms.Form, max_pixels: int) -> tuple[bytes, int]:
    """The mask of a picture's dust as a PNG, and the number of marks.

    Args:
        form: with an image and the fields ``FIELDS``.
        max_pixels: largest width times height.

    Raises:
        Refusal: the image is damaged (422), too little memory (413), or SciPy is not installed (501).
    """
    try:
        from temperfill.dust import DustFinder
    except ModuleNotFoundError as error:
        needs = f"finding dust needs {error.name}, which this server lacks: {how_to_add('dust')}"
        raise Refusal(501, "not_installed", needs) from None
    with work.refusals():
        with work.invalid_input():
            picture = images.open_picture(form.image, max_pixels, "the image")
        dust = DustFinder()(images.to_rgb(picture), DustOptions(**{name: form.fields[name] for name in FIELDS}))
        mask = images.open_picture(dust.mask.astype(np.uint8) * 255)
        return images.encode_picture(mask, Path("the mask.png"), fast=True), dust.count
