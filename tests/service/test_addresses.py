"""HEAD and OPTIONS at every address, methods that have no use, and a proxy that shows the service below a path."""

import asyncio
import json

import pytest
from starlette.routing import Route

from service.clients import Held, code, form, running, tiny
from temperfill.service.settings import ServiceLimits

EVERYTHING = ServiceLimits(iopaint=True, metrics=True)


def test_every_address_answers_head_as_get_and_options() -> None:
    async def main() -> None:
        async with running(Held, EVERYTHING) as (client, service):
            routes = [route for route in client._transport.app.routes if isinstance(route, Route)]  # type: ignore[attr-defined]
            assert len(routes) > 12
            for route in routes:
                path = route.path.replace("{name}", "some-job-name").replace("{name:path}", "main.js")
                options = await client.options(path)
                assert (options.status_code, options.content) == (204, b""), path
                allowed = set(options.headers["allow"].split(", "))
                assert allowed >= {*(route.methods or ()), "OPTIONS"}
                assert ("HEAD" in allowed) == ("GET" in allowed)
                head, unused = await client.head(path), await client.request("PATCH", path)
                assert (unused.status_code, code(unused)) == (405, "bad_method")
                assert unused.headers["allow"] == options.headers["allow"]
                if "GET" not in allowed:
                    assert head.status_code == 405
                    continue
                got = await client.get(path)
                assert (head.status_code, head.content) == (got.status_code, b""), path
                kept = ("content-type", "content-length", "cache-control", "content-security-policy")
                if path != "/metrics":  # which has counted one more
                    assert [head.headers.get(name) for name in kept] == [got.headers.get(name) for name in kept]
            assert service.jobs.num_waiting == 0

    asyncio.run(main())


def test_methods_of_a_job_are_those_of_all_its_routes() -> None:
    async def main() -> None:
        async with running(Held) as (client, _):
            options = await client.options("/v1/jobs/some-job-name")
            assert options.headers["allow"] == "DELETE, GET, HEAD, OPTIONS"
            assert (await client.options("/nowhere")).status_code == 404
            foreign = await client.options("/v1/inpaint", headers={"Origin": "http://example.org"})
            assert (foreign.status_code, code(foreign)) == (403, "foreign_origin")

    asyncio.run(main())


@pytest.mark.parametrize("prefix", ["", "/fill"], ids=["taken off by the proxy", "left by the proxy"])
def test_addresses_below_a_path(prefix: str) -> None:
    settings = ServiceLimits(root_path="/fill", metrics=True)

    async def main() -> None:
        async with running(tiny, settings) as (client, _):
            assert (await client.get(f"{prefix}/healthz")).json()["status"] == "ok"
            assert "<!doctype html>" in (await client.get(f"{prefix}/")).text
            assert (await client.get(f"{prefix}/page/main.js")).status_code == 200
            assert (await client.post(f"{prefix}/v1/inpaint", files=form())).status_code == 200
            assert (await client.head(f"{prefix}/v1/models")).status_code == 200
            described = json.loads((await client.get(f"{prefix}/openapi.json")).content)
            assert described["servers"] == [{"url": "/fill"}]
            bare = await client.get("/fill")
            assert (bare.status_code, bare.headers["location"]) == (308, "/fill/")
            assert (await client.get("/filling/healthz")).status_code == 404
            assert 'route="/v1/inpaint"' in (await client.get("/metrics")).text

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/v1/models", "/fill/v1/models", "/fill/fill/v1/models", "//v1/models"])
def test_no_second_name_of_an_address_is_let_in_without_the_token(path: str) -> None:
    async def main() -> None:
        async with running(Held, ServiceLimits(root_path="/fill", token="secret")) as (client, _):
            assert (await client.get(path)).status_code in (401, 404)

    asyncio.run(main())


@pytest.mark.parametrize("path", ["fill", "/fill/", "/", "/a b", "//x"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="root_path must look like /fill"):
        ServiceLimits(root_path=path)
