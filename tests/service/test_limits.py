"""What is refused before anything reads it: bodies, names, origins, tokens; headers of every answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from service.clients import Held, code, form, running
from temperfill.service import limits
from temperfill.service.limits import SECURITY_HEADERS, BodyLimit, Uploads
from temperfill.service.settings import ServiceLimits

LIMIT = 200_000


def test_declared_length_above_the_limit_is_refused_unread() -> None:
    read: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(1)
        yield bytes(LIMIT + 1)

    async def main() -> None:
        async with running(Held, ServiceLimits(max_bytes=LIMIT)) as (client, service):
            headers = {"Content-Length": str(LIMIT + 1), "Content-Type": "multipart/form-data; boundary=X"}
            response = await client.post("/v1/inpaint", content=body(), headers=headers | {"Expect": "100-continue"})
            assert (response.status_code, code(response)) == (413, "too_large")
            assert not service.jobs._jobs

    asyncio.run(main())
    assert not read


@pytest.mark.parametrize("path", ["/v1/inpaint", "/v1/sources"])
def test_chunked_body_is_refused_once_it_passes_the_limit(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINGER", 0.2)
    sent: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        yield b'--X\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        while True:  # without an end
            sent.append(50_000)
            yield bytes(50_000)
            await asyncio.sleep(0.01)

    async def main() -> None:
        async with running(Held, ServiceLimits(max_bytes=LIMIT)) as (client, service):
            headers = {"Content-Type": "multipart/form-data; boundary=X"}
            response = await client.post(path, content=body(), headers=headers)
            assert (response.status_code, code(response)) == (413, "too_large")
            assert not service.jobs._places
            assert (await client.get("/healthz")).status_code == 200

    asyncio.run(main())
    assert sum(sent) < LIMIT + 50_000 * 30


def test_body_at_the_limit_passes_and_the_rest_of_a_refused_one_is_drained() -> None:
    """An application that answers at once: the answer arrives, and the client may send on until it has read it."""
    received: list[Message] = []
    sizes = [300, 300, 400]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        received.append(await receive())
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"busy"})

    async def main(max_bytes: int) -> tuple[list[Message], int]:
        left, sent = list(sizes), []

        async def receive() -> Message:
            return {"type": "http.request", "body": bytes(left.pop(0)), "more_body": bool(left)}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "headers": [(b"content-length", b"1000")]}
        await BodyLimit(app, max_bytes, 5, Uploads())(scope, receive, send)
        return sent, len(left)

    sent, num_left = asyncio.run(main(1000))
    assert num_left == 0
    assert [(message.get("body"), message.get("more_body")) for message in sent[1:]] == [(b"busy", True), (b"", False)]
    received.clear()
    sent, _ = asyncio.run(main(999))
    assert not received
    assert sent[0]["status"] == 413


def test_slow_upload_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINGER", 0.1)

    async def body() -> AsyncIterator[bytes]:
        yield b'--X\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(1000):
            yield b"x"
            await asyncio.sleep(0.02)

    async def main() -> None:
        async with running(Held, ServiceLimits(upload_timeout=0.3)) as (client, service):
            headers = {"Content-Type": "multipart/form-data; boundary=X"}
            response = await client.post("/v1/inpaint", content=body(), headers=headers)
            assert (response.status_code, code(response)) == (408, "slow_upload")
            assert not service.jobs._places

    asyncio.run(main())


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        *((host, True) for host in ("127.0.0.1", "127.0.0.1:8017", "LOCALHOST:1", "[::1]:8017", "fill.example:443")),
        *((host, False) for host in ("evil.example", "127.0.0.1.evil.example", "192.0.2.1", "", "[::1", "evil:x@y")),
    ],
)
def test_host_names_that_are_not_ours_are_refused(host: str, is_known: bool) -> None:
    async def main() -> None:
        async with running(Held, ServiceLimits(hosts=("Fill.Example",)), headers={"Host": host}) as (client, _):
            for path in ("/healthz", "/", "/start", "/v1/models"):
                response = await client.get(path)
                assert (response.status_code == 200) == is_known
                assert is_known or code(response) == "unknown_host"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("hosts", "host", "is_known"),
    [
        (("*",), "evil.example", True),
        (("addresses",), "192.0.2.1:80", True),
        (("addresses",), "evil.example", False),
        (("addresses",), "addresses", False),
    ],
)
def test_hosts_can_be_widened(hosts: tuple[str, ...], host: str, is_known: bool) -> None:
    async def main() -> int:
        async with running(Held, ServiceLimits(hosts=hosts), headers={"Host": host}) as (client, _):
            return (await client.get("/healthz")).status_code

    assert (asyncio.run(main()) == 200) == is_known


def test_pages_of_other_origins_are_refused_and_get_no_leave() -> None:
    async def main() -> None:
        held = Held()
        held.let_go.set()
        async with running(lambda: held) as (client, _):
            for origin in ("https://evil.example", "null", "http://127.0.0.1:9", "http://[", "file://"):
                response = await client.post("/v1/inpaint", files=form(), headers={"Origin": origin})
                assert (response.status_code, code(response)) == (403, "foreign_origin")
                assert not [name for name in response.headers if name.startswith("access-control")]
            own = {"Origin": "http://127.0.0.1:8017"}
            assert (await client.post("/v1/inpaint", files=form(), headers=own)).status_code == 200
            preflight = {"Origin": "http://127.0.0.1:8017", "Access-Control-Request-Method": "POST"}
            response = await client.options("/v1/inpaint", headers=preflight)
            assert not [name for name in response.headers if name.startswith("access-control")]

    asyncio.run(main())


def test_pages_of_a_proxy_that_asks_under_another_name_are_let_in() -> None:
    async def main() -> None:
        held = Held()
        held.let_go.set()
        settings = ServiceLimits(hosts=("photos.example", "127.0.0.1"), origins=("photos.example", "*"))
        async with running(lambda: held, settings) as (client, _):
            for origin, status in (
                ("https://photos.example", 200),
                ("http://PHOTOS.example:8080", 200),
                ("https://photos.example.evil.example", 403),
                ("https://evil.example", 403),
                ("ftp://photos.example", 403),
                ("http://localhost:9", 403),
                ("null", 403),
            ):
                response = await client.post("/v1/inpaint", files=form(), headers={"Origin": origin})
                assert response.status_code == status, origin

    asyncio.run(main())


def test_uploads_end_with_the_service() -> None:
    async def main() -> None:
        async with running(Held) as (client, service):

            async def endless() -> AsyncIterator[bytes]:
                yield b"--x\r\n"
                await asyncio.sleep(60)

            kind = {"Content-Type": "multipart/form-data; boundary=x"}
            upload = asyncio.ensure_future(client.post("/v1/inpaint", content=endless(), headers=kind))
            while not service.jobs._places:
                await asyncio.sleep(0.01)
            service.jobs.stop(10)
            service.uploads.end()
            response = await asyncio.wait_for(upload, 5)
            assert (response.status_code, code(response)) == (503, "stopping")
            assert not service.uploads.bodies

    asyncio.run(main())


def test_token_guards_all_but_the_page_and_health() -> None:
    async def main() -> None:
        held = Held()
        held.let_go.set()
        async with running(lambda: held, ServiceLimits(token="s3cret-token")) as (client, _):
            assert (await client.get("/")).status_code == 200
            assert (await client.get("/healthz")).status_code == 200
            calls: list[tuple[str, str]] = [
                ("GET", path) for path in ("/start", "/start/image", "/v1/models", "/openapi.json")
            ]
            calls += [("POST", "/v1/inpaint"), ("POST", "/v1/sources"), ("DELETE", "/v1/jobs/12345678")]
            for method, path in calls:
                for given in (None, "Bearer wrong", "Basic s3cret-token", "Bearer", "Bearer s3cret-toke\xfc"):
                    headers = {} if given is None else {"Authorization": given.encode("latin-1")}
                    response = await client.request(method, path, headers=headers)
                    assert (response.status_code, code(response)) == (401, "unauthorized")
                    assert response.headers["www-authenticate"] == "Bearer"
            right = {"Authorization": "bearer s3cret-token"}
            assert (await client.get("/v1/models", headers=right)).status_code == 200
            assert (await client.post("/v1/inpaint", files=form(), headers=right)).status_code == 200

    asyncio.run(main())


def test_every_answer_has_the_security_headers() -> None:
    held = Held(error=KeyError("secret"))

    async def main() -> list[httpx.Response]:
        async with running(lambda: held) as (client, _):
            return [
                await client.get("/"),
                await client.get("/page/main.js"),
                await client.get("/nothing"),
                await client.put("/v1/inpaint"),
                await client.get("/healthz"),
                await client.get("/healthz", headers={"Host": "evil.example"}),
                await client.post("/v1/inpaint", content=b"", headers={"Content-Length": "999999999"}),
                await client.post("/v1/inpaint", files=form()),
            ]

    responses = asyncio.run(main())
    assert [response.status_code for response in responses] == [200, 200, 404, 405, 200, 400, 413, 500]
    for response in responses:
        assert {name: response.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert "server" not in response.headers
    for response in (response for response in responses if response.status_code >= 400):
        code(response)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_bytes": 0},
        {"max_pixels": -1},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"upload_timeout": 0},
        {"queue": -1},
        {"token": "two words"},
        {"token": "ü"},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ServiceLimits(**wrong)
