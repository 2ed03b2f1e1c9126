"""The queue: one at a time, bounded, with progress; ends by cancelling, by leaving clients and by the time limit."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.types import Message

from service.clients import Held, code, form, running, tiny
from temperfill.service import forms
from temperfill.service.app import Service
from temperfill.service.jobs import REMEMBERED, Jobs
from temperfill.service.settings import ServiceLimits


async def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come about"
        await asyncio.sleep(0.005)


def post(client: httpx.AsyncClient, name: str | None = None) -> "asyncio.Future[httpx.Response]":
    headers = {} if name is None else {"X-Job": name}
    return asyncio.ensure_future(client.post("/v1/inpaint", files=form(), headers=headers))


async def state(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    result: dict[str, Any] = (await client.get(f"/v1/jobs/{name}")).json()
    return result


def test_of_many_requests_one_is_worked_on_some_wait_and_the_rest_is_turned_away() -> None:
    held = Held()

    async def main() -> None:
        async with running(lambda: held, ServiceLimits(queue=5)) as (client, service):
            waiting = [post(client) for _ in range(40)]
            await until(lambda: sum(request.done() for request in waiting) == 34)
            for request in (request for request in waiting if request.done()):
                response = request.result()
                assert (response.status_code, code(response)) == (503, "busy")
                assert int(response.headers["retry-after"]) >= 1
            assert (await client.get("/healthz")).status_code == 200
            held.let_go.set()
            responses = await asyncio.gather(*waiting)
            assert sum(response.status_code == 200 for response in responses) == 6
            assert not service.jobs._places
            assert (await client.post("/v1/inpaint", files=form())).status_code == 200

    asyncio.run(main())
    assert held.most_at_once == 1


def test_progress_and_place_in_the_queue_are_told() -> None:
    held = Held()

    async def main() -> None:
        async with running(lambda: held) as (client, _):
            names = [f"job-number-{number}" for number in range(3)]
            requests = []
            for name in names:
                requests.append(post(client, name))
                await until(lambda: held.started.is_set())
                await asyncio.sleep(0.2)
            await until(lambda: held.at_once == 1)
            first, second, third = [await state(client, name) for name in names]
            assert first == {"state": "running", "ahead": 0, "done": 3, "total": 7, "drafts": 0}
            assert (second["state"], second["ahead"]) == ("queued", 1)
            assert (third["state"], third["ahead"]) == ("queued", 2)
            held.let_go.set()
            await asyncio.gather(*requests)
            assert {(await state(client, name))["state"] for name in names} == {"done"}
            assert (await client.get("/v1/jobs/unknown-job")).status_code == 404
            assert (await client.delete("/v1/jobs/unknown-job")).status_code == 404

    asyncio.run(main())


def test_jobs_are_cancelled_where_they_run_and_where_they_wait() -> None:
    held = Held()

    async def main() -> None:
        async with running(lambda: held, ServiceLimits(queue=1)) as (client, service):
            runs = post(client, "job-that-runs")
            await until(held.started.is_set)
            waits = post(client, "job-that-waits")
            await until(lambda: len(service.jobs._line) == 2)
            for name, request in (("job-that-waits", waits), ("job-that-runs", runs)):
                assert (await client.delete(f"/v1/jobs/{name}")).status_code == 204
                response = await asyncio.wait_for(request, 10)
                assert (response.status_code, code(response)) == (409, "cancelled")
                assert (await state(client, name))["state"] == "cancelled"
                assert (await client.delete(f"/v1/jobs/{name}")).status_code == 204
            await until(lambda: not service.jobs._places)
            held.let_go.set()
            assert (await client.post("/v1/inpaint", files=form())).status_code == 200

    asyncio.run(main())
    assert held.ended == ["Halted", "done"]


def test_place_of_a_job_that_was_cancelled_while_it_waited_is_free_at_once() -> None:
    held = Held()

    async def main() -> None:
        async with running(lambda: held, ServiceLimits(queue=1)) as (client, service):
            runs = post(client)
            await until(held.started.is_set)
            for number in range(5):
                waits = post(client, f"job-number-{number}")
                await until(lambda: len(service.jobs._line) == 2)
                await client.delete(f"/v1/jobs/job-number-{number}")
                assert (await waits).status_code == 409
                await until(lambda: len(service.jobs._places) == 1)
            held.let_go.set()
            assert (await runs).status_code == 200

    asyncio.run(main())


def test_work_beyond_the_time_limit_is_ended_and_waiting_does_not_count() -> None:
    held = Held()

    async def main() -> None:
        async with running(lambda: held, ServiceLimits(timeout=0.3)) as (client, service):
            requests = [post(client, f"job-number-{number}") for number in range(3)]
            for request in requests:
                response = await asyncio.wait_for(request, 20)
                assert (response.status_code, code(response)) == (504, "timeout")
            assert (await state(client, "job-number-2"))["state"] == "failed"
            await until(lambda: not service.jobs._places)
            held.let_go.set()
            assert (await client.post("/v1/inpaint", files=form())).status_code == 200

    asyncio.run(main())
    assert held.ended == ["Halted"] * 3 + ["done"]


def test_limit_and_cancelling_hold_from_the_first_look_at_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    look, began, let_go = forms.check_pictures, threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Any:
        began.set()
        let_go.wait(20)
        return look(*arguments)

    monkeypatch.setattr(forms, "check_pictures", slow)

    async def main() -> None:
        async with running(tiny, ServiceLimits(timeout=0.3)) as (client, service):
            response = await asyncio.wait_for(post(client, "job-too-slow"), 5)
            assert (response.status_code, code(response)) == (504, "timeout")
            assert not service.jobs._places
            began.clear()
            service.jobs.timeout = 20
            request = post(client, "job-cancelled")
            await until(began.is_set)
            assert (await client.delete("/v1/jobs/job-cancelled")).status_code == 204
            response = await asyncio.wait_for(request, 5)
            assert (response.status_code, code(response)) == (409, "cancelled")
            assert not service.jobs._places
            let_go.set()
            assert (await client.post("/v1/inpaint", files=form())).status_code == 200

    asyncio.run(main())


def test_client_that_leaves_cancels_its_job() -> None:
    held = Held()

    async def main() -> None:
        async with running(lambda: held) as (client, service):
            request = client.build_request("POST", "/v1/inpaint", files=form(), headers={"X-Job": "job-of-nobody"})
            gone = asyncio.Event()
            body: list[Message] = [{"type": "http.request", "body": request.read(), "more_body": False}]

            async def receive() -> Message:
                if body:
                    return body.pop()
                await gone.wait()
                return {"type": "http.disconnect"}

            async def send(message: Message) -> None:
                pass

            scope = {
                "type": "http",
                "method": "POST",
                "path": "/v1/inpaint",
                "query_string": b"",
                "headers": [(name.lower(), value) for name, value in request.headers.raw],
            }
            app: Any = client._transport.app  # type: ignore[attr-defined]
            served = asyncio.ensure_future(app(scope, receive, send))
            await until(held.started.is_set)
            assert (await state(client, "job-of-nobody"))["state"] == "running"
            gone.set()
            await asyncio.wait_for(served, 10)
            assert (await state(client, "job-of-nobody"))["state"] == "cancelled"
            await until(lambda: not service.jobs._places)

    asyncio.run(main())
    assert held.ended == ["Halted"]


@pytest.mark.parametrize("name", ["short", "with spaces", "x" * 65, "dots.and.dots", ""])
def test_malformed_names_of_jobs_are_refused(name: str) -> None:
    async def main() -> None:
        async with running(Held) as (client, _):
            response = await client.post("/v1/inpaint", files=form(), headers={"X-Job": name})
            assert (response.status_code, code(response)) == (400, "bad_job")

    asyncio.run(main())


def test_names_of_jobs_at_work_are_refused_and_those_of_ended_ones_can_be_used_again() -> None:
    held = Held()

    async def main() -> None:
        async with running(lambda: held) as (client, _):
            first = post(client, "the-same-name")
            await until(held.started.is_set)
            response = await client.post("/v1/inpaint", files=form(), headers={"X-Job": "the-same-name"})
            assert (response.status_code, code(response)) == (400, "bad_job")
            held.let_go.set()
            assert (await first).status_code == 200
            again = await client.post("/v1/inpaint", files=form(), headers={"X-Job": "the-same-name"})
            assert again.status_code == 200

    asyncio.run(main())


def test_sources_wait_in_the_same_queue() -> None:
    held = Held()

    async def main() -> None:
        async with running(lambda: held, ServiceLimits(queue=0)) as (client, _):
            request = post(client)
            await until(held.started.is_set)
            response = await client.post("/v1/sources", files=form(), data={"row": "1", "column": "1"})
            assert (response.status_code, code(response)) == (503, "busy")
            held.let_go.set()
            assert (await request).status_code == 200

    asyncio.run(main())


def test_states_of_ended_jobs_are_forgotten_in_time() -> None:
    async def main() -> None:
        jobs = Jobs(1, 1)
        for number in range(REMEMBERED + 50):
            async with jobs.admit(f"job-number-{number}"):
                pass
        assert len(jobs._jobs) <= REMEMBERED + 1
        assert jobs.find(f"job-number-{REMEMBERED + 49}").state == "failed"
        await jobs.close(1)

    asyncio.run(main())


def test_stopping_ends_what_waits_and_lets_the_work_at_hand_finish() -> None:
    held = Held()

    async def main() -> None:
        async with running(lambda: held) as (client, service):
            runs = post(client)
            await until(held.started.is_set)
            waits = post(client)
            await until(lambda: len(service.jobs._line) == 2)
            service.jobs.stop(60)
            for response in (await waits, await client.post("/v1/inpaint", files=form())):
                assert (response.status_code, code(response)) == (503, "stopping")
            held.let_go.set()
            assert (await runs).status_code == 200

    asyncio.run(main())


def test_work_at_hand_is_cancelled_when_its_grace_is_over() -> None:
    held = Held()

    async def main() -> Service:
        async with running(lambda: held) as (client, service):
            runs = post(client)
            await until(held.started.is_set)
            service.jobs.stop(0.1)
            response = await asyncio.wait_for(runs, 10)
            assert (response.status_code, code(response)) == (503, "stopping")
        return service

    assert asyncio.run(main()).is_closed
    assert held.ended == ["Halted"]


def test_concurrent_answers_are_those_of_single_requests() -> None:
    async def main() -> None:
        async with running(tiny) as (client, _):
            alone = (await client.post("/v1/inpaint", files=form())).content
            together = await asyncio.gather(*[post(client) for _ in range(4)])
            assert all(response.content == alone for response in together)

    asyncio.run(main())
