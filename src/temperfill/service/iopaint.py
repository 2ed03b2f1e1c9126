"""``POST /api/v1/inpaint`` as IOPaint has it, so that programs written for IOPaint fill here.

The body is JSON: ``image`` and ``mask`` as data URLs or plain base64, white marks what to fill, and some sixty settings
of IOPaint's models. Of these only ``sd_seed`` means something here; the others are passed over, as IOPaint's own
erasing models do. The answer is a PNG file with the header ``X-Seed``; errors have the keys that its pages show.
Source: ``iopaint/schema.py`` and ``iopaint/api.py`` of IOPaint 1.6.
"""

import base64
import binascii
import io
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, BinaryIO

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from temperfill.options import OPTIONS
from temperfill.service import work
from temperfill.service.forms import FORMATS, INPAINT_FIELDS, Form, check_pictures
from temperfill.service.refusals import Refusal

if TYPE_CHECKING:
    from temperfill.service.app import Service

PATH = "/api/v1/inpaint"
"""Address of the route."""
_RANDOM = -1  # a seed that asks for any
_SEEDS = int(next(option.high for option in OPTIONS if option.name == "seed")) + 1


def route(service: "Service") -> Callable[[Request], Awaitable[Response]]:
    """The route of a service."""

    async def inpaint(request: Request) -> Response:
        """Fills the hole of a picture, as IOPaint's route of this name."""
        try:
            return await _fill(service, request)
        except Refusal as refusal:
            return _refused(refusal)

    return inpaint


async def _fill(service: "Service", request: Request) -> Response:
    max_pixels = service.settings.max_pixels
    async with service.admitted(request) as job:
        body = await request.body()
        form = await service.check(request, job, lambda: read(body, max_pixels))
        (content, _), headers = await service.run(
            request,
            job,
            lambda on_progress: work.fill(service.ready(), form, max_pixels, on_progress),
            form,
        )
    headers["X-Seed"] = str(form.fields["seed"])
    return Response(content, media_type="image/png", headers=headers)


def read(body: bytes, max_pixels: int) -> Form:
    """The form that a body of IOPaint's stands for.

    Args:
        body: JSON.
        max_pixels: largest width times height of a picture.

    Raises:
        Refusal: no such body (400), a seed that is no whole number (422), or pictures as for other forms.
    """
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "bad_json", "the request must be JSON") from None
    if not isinstance(given, dict):
        raise Refusal(400, "bad_json", "the request must be a JSON object with image and mask")
    files: dict[str, BinaryIO] = {name: _decode(name, given.get(name)) for name in ("image", "mask")}
    defaults = {name: default for name, (_, default) in INPAINT_FIELDS.items()}
    fields = defaults | {"format": FORMATS["png"], "seed": _seed(given.get("sd_seed"))}
    return Form(files, check_pictures(files, max_pixels), fields, takes_any_mask=True)


def _decode(name: str, text: Any) -> BinaryIO:
    if not isinstance(text, str) or not text:
        raise Refusal(400, "bad_json", f"{name} must be a picture as data URL or base64")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return io.BytesIO(base64.b64decode(text))
    except (binascii.Error, ValueError):
        raise Refusal(400, "bad_json", f"{name} is not in base64") from None


def _seed(value: Any) -> int:
    if value is None:
        return int(INPAINT_FIELDS["seed"][1])
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refusal(422, "out_of_range", "sd_seed must be a whole number")
    return secrets.randbelow(_SEEDS) if value == _RANDOM else value % _SEEDS


def _refused(refusal: Refusal) -> JSONResponse:
    said = {"error": refusal.code, "detail": refusal.message, "body": "", "errors": refusal.message}
    return refusal.response(said)
