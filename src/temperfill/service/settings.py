"""What a service allows, as data."""

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceLimits:
    """Limits and names of a service; checked when built.

    Attributes:
        max_bytes: largest body of a request.
        max_pixels: largest width times height of a picture.
        queue: pictures that may wait while one is worked on.
        timeout: seconds that the work on one picture may take; waiting is not counted.
        upload_timeout: seconds in which the body of a request must arrive.
        token: that requests must bear; empty for none.
        keep_metadata: whether results keep EXIF, XMP, texts and resolution of the picture that was sent; for a service
            that nobody but the pictures' owner uses.
        origins: names of hosts whose pages may use it, as behind a proxy that asks for it under another name.
        hosts: names under which the service is asked for, besides those of this machine alone; "*" for any.
        root_path: path below which a proxy shows the service, such as /fill; empty for none.
        iopaint: whether there is IOPaint's route, too.
        metrics: whether there are measures for Prometheus.
    """

    max_bytes: int = 64_000_000
    max_pixels: int = 64_000_000
    queue: int = 8
    timeout: float = 120
    upload_timeout: float = 60
    token: str = ""
    keep_metadata: bool = False
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    root_path: str = ""
    iopaint: bool = False
    metrics: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for a value out of range."""
        for name in ("max_bytes", "max_pixels", "timeout", "upload_timeout"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} must be above 0, got {value!r}")
        if self.queue < 0:
            raise ValueError(f"queue must be 0 or more, got {self.queue!r}")
        if not all("!" <= character <= "~" for character in self.token):
            raise ValueError("token must consist of printable ASCII characters without spaces")
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", self.root_path):
            raise ValueError(f"root_path must look like /fill, with no slash at its end, got {self.root_path!r}")
