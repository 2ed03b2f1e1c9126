"""The one way in which a request is turned down: a status, a code for programs, a sentence for people."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse


class Refusal(Exception):
    """Ends a request with an error.

    Attributes:
        status: of HTTP.
        code: what a program can tell errors apart by.
        message: one sentence for people.
        headers: to send with it.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """The answer for the client."""
        body = {"error": {"code": self.code, "message": self.message}}
        return JSONResponse(body, self.status, self.headers)


def internal() -> Refusal:
    """For failures of the service itself; only its log says what failed."""
    return Refusal(500, "internal", "the server failed; its log says why")


def stopping() -> Refusal:
    """For all that has not ended when the service does."""
    return Refusal(503, "stopping", "the service is being stopped", {"Retry-After": "10"})
