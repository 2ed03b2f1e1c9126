"""The one way in which a request is turned down: a status, a code for programs, a sentence for people."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

_NOTE = "refusal"  # in the state of a request


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

    def response(self, body: Any = None) -> JSONResponse:
        """The answer for the client, with a body of its own where another form is expected."""
        body = body or {"error": {"code": self.code, "message": self.message}}
        return _Refused(self.code, body, self.status, self.headers)


class _Refused(JSONResponse):
    """An answer that leaves its code in the state of its request, for those who count."""

    def __init__(self, code: str, body: Any, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(body, status, headers)
        self.code = code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.get("state", {})[_NOTE] = self.code
        await super().__call__(scope, receive, send)


def noted_code(scope: Scope) -> str | None:
    """The code of the refusal that answered a request, if one did."""
    code: str | None = scope.get("state", {}).get(_NOTE)
    return code


def internal() -> Refusal:
    """For failures of the service itself; only its log says what failed."""
    return Refusal(500, "internal", "the server failed; its log says why")


def stopping() -> Refusal:
    """For all that has not ended when the service does."""
    return Refusal(503, "stopping", "the service is being stopped", {"Retry-After": "10"})
