"""What /openapi.json says of forms and errors, which the routes read and write by themselves."""

from typing import Any

from temperfill.options import CANVAS_OPTIONS, DUST_OPTIONS, SERVED, Option
from temperfill.service.forms import FORMATS, MOST_TRIES, SOURCES_OPTIONS

_FILE = {"type": "string", "format": "binary"}
_OWN_FORMAT = (
    "Default: the image's; JPEG for HEIC, or PNG where it has an alpha channel. lossless: PNG, or TIFF where PNG does "
    "not hold the picture."
)
_PLACE = {"type": "integer", "minimum": 0}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
_JOB = {
    "name": "X-Job",
    "in": "header",
    "required": False,
    "description": "A name for the job, made by the client, to ask for its progress or to cancel it.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9-]{8,64}$"},
}


def _schema(option: Option) -> dict[str, Any]:
    if option.choices:
        values: dict[str, Any] = {"type": "string", "enum": list(option.choices)}
    elif option.kind is bool:
        values = {"type": "boolean"}
    else:
        kind = "integer" if option.kind is int else "number"
        values = {"type": kind, "minimum": option.low, "maximum": option.most_served}
    return values | {"default": option.default, "description": option.help}


def _seeds(seed: dict[str, Any]) -> dict[str, Any]:
    """One seed, or several: the part of the form is given as often."""
    told = {name: seed[name] for name in ("default", "description")}
    one = {name: value for name, value in seed.items() if name not in told}
    few = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_TRIES, "uniqueItems": True}
    return {"oneOf": [one, few], **told}


_OPTIONS = {option.name: _schema(option) for option in SERVED}
_FILLING = _OPTIONS | {"seed": _seeds(_OPTIONS["seed"])}
ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {"description": "An error.", "content": {"application/json": {"schema": _ERROR}}}
}
"""The answer to a request that is turned down."""


def _pictures(what: str) -> dict[int, Any]:
    """A picture, or one for each seed."""
    several = f"{what}; for several seeds a ZIP file with one for each, filled-SEED with its suffix."
    return {
        200: {"description": several, "content": {"image/*": {"schema": _FILE}, "application/zip": {"schema": _FILE}}}
    }


def _form(required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": required, "properties": properties, "additionalProperties": False}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


_FILES = {
    "image": {**_FILE, "description": "The picture; HEIC where the server has pi-heif."},
    "mask": {**_FILE, "description": "White marks what to fill; of the size of the image, upright."},
    "sketch": {**_FILE, "description": "White marks lines, for models that take them; of the size of the image."},
    "avoid": {
        **_FILE,
        "description": "White marks what is not to be copied from, for models that can; of the size of the image.",
    },
}
_MODEL = {
    "type": "string",
    "description": "Name of the model that fills, of those of /v1/models; without it its current.",
}
_QUALITY = "Of JPEG, WebP and AVIF. Without it a JPEG is compressed like the JPEG that was sent, others with 95."
_ENCODING = {
    "format": {"type": "string", "enum": list(FORMATS), "description": _OWN_FORMAT},
    "quality": {"type": "integer", "minimum": 1, "maximum": 100, "description": _QUALITY},
}
INPAINT: dict[str, Any] = {
    "summary": "Fill the hole of a picture.",
    "openapi_extra": {
        "parameters": [_JOB],
        "requestBody": _form(
            ["image", "mask"],
            {
                **_FILES,
                **_FILLING,
                "model": _MODEL,
                **_ENCODING,
            },
        ),
    },
    "responses": _pictures("The filled picture"),
}
"""Of the route that fills."""
EXTEND: dict[str, Any] = {
    "summary": "Extend the canvas of a picture, and fill what is new.",
    "openapi_extra": {
        "parameters": [_JOB],
        "requestBody": _form(
            ["image"],
            {
                "image": _FILES["image"],
                **{option.name: _schema(option) for option in CANVAS_OPTIONS},
                **_FILLING,
                "model": _MODEL,
                **_ENCODING,
            },
        ),
    },
    "responses": _pictures("The larger picture"),
}
"""Of the route that extends."""
CONVERT: dict[str, Any] = {
    "summary": "A picture in another format, with the metadata of the original, as far as the service keeps any.",
    "openapi_extra": {
        "parameters": [_JOB],
        "requestBody": _form(
            ["image"],
            {
                "image": _FILES["image"],
                "original": {
                    **_FILE,
                    "description": "The file whose metadata and format are kept; no larger than the image.",
                },
                "model": {**_MODEL, "description": "Name of the model that made a part of the image."},
                "unmarked": _OPTIONS["unmarked"],
                **_ENCODING,
            },
        ),
    },
    "responses": {200: {"description": "The picture.", "content": {"image/*": {"schema": _FILE}}}},
}
"""Of the route that writes another format."""
PREVIEW: dict[str, Any] = {
    "summary": "A picture as PNG, upright, for programs that cannot show its format.",
    "openapi_extra": {
        "parameters": [_JOB],
        "requestBody": _form(["image"], {"image": _FILES["image"]}),
    },
    "responses": {
        200: {
            "description": "The picture.",
            "headers": {
                "X-Depth": {
                    "description": "Bits of each colour in the file, where they are more than the 8 that are used.",
                    "schema": {"type": "integer"},
                }
            },
            "content": {"image/png": {"schema": _FILE}},
        }
    },
}
"""Of the route that makes pictures visible."""
_PICTURE_TEXT = {"type": "string", "description": "A picture file as data URL or base64."}
IOPAINT: dict[str, Any] = {
    "summary": "Fill the hole of a picture, as IOPaint's route of this name; its other settings are passed over.",
    "openapi_extra": {
        "parameters": [_JOB],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["image", "mask"],
                        "properties": {
                            "image": _PICTURE_TEXT,
                            "mask": _PICTURE_TEXT,
                            "sd_seed": {"type": "integer", "default": 0, "description": "-1 for any."},
                        },
                    }
                }
            },
        },
    },
    "responses": {200: {"description": "The filled picture.", "content": {"image/png": {"schema": _FILE}}}},
}
"""Of IOPaint's route."""
SOURCES: dict[str, Any] = {
    "summary": "Where a place of the hole is copied from.",
    "openapi_extra": {
        "parameters": [_JOB],
        "requestBody": _form(
            ["image", "mask", "row", "column"],
            {**_FILES, "row": _PLACE, "column": _PLACE, "model": _MODEL}
            | {name: _OPTIONS[name] for name in SOURCES_OPTIONS},
        ),
    },
    "responses": {200: {"description": "Copied pixel, matches of each head.", "content": {"application/json": {}}}},
}
"""Of the route that tells sources."""
DUST: dict[str, Any] = {
    "summary": "Dust, hairs and scratches of a scan, as a mask.",
    "openapi_extra": {
        "parameters": [_JOB],
        "requestBody": _form(
            ["image"], {"image": _FILES["image"]} | {option.name: _schema(option) for option in DUST_OPTIONS}
        ),
    },
    "responses": {
        200: {
            "description": "White marks dust; of the size of the upright image.",
            "headers": {"X-Marks": {"description": "Number of marks.", "schema": {"type": "integer"}}},
            "content": {"image/png": {"schema": _FILE}},
        }
    },
}
"""Of the route that finds dust."""
