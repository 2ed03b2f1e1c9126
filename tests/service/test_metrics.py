"""What is counted, as Prometheus reads it."""

import asyncio

import httpx
from prometheus_client.parser import text_string_to_metric_families

from service.clients import HEIGHT, WIDTH, Held, form, running, tiny
from temperfill.service.settings import ServiceLimits

ON = ServiceLimits(metrics=True, queue=1)


LABELS = ("route", "method", "status", "code")


async def values(client: httpx.AsyncClient) -> dict[str, float]:
    """Every sample by its name and labels."""
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    samples = [sample for family in text_string_to_metric_families(response.text) for sample in family.samples]
    names = [[one.name, *(one.labels[name] for name in LABELS if name in one.labels)] for one in samples]
    return {",".join(name): sample.value for name, sample in zip(names, samples, strict=True)}


def test_requests_time_pixels_and_refusals_are_counted() -> None:
    async def main() -> None:
        async with running(tiny, ON) as (client, _):
            for _ in range(2):
                assert (await client.post("/v1/inpaint", files=form())).status_code == 200
            await client.post("/v1/inpaint", files=form(mask=b"no picture"))
            await client.post("/v1/preview", files={"image": form()["image"]})
            await client.head("/nowhere/at-all")
            await client.get("/v1/jobs/some-job-name", headers={"Host": "elsewhere"})
            found = await values(client)
            assert found["temperfill_requests_total,/v1/inpaint,POST,200"] == 2
            assert found["temperfill_requests_total,/v1/inpaint,POST,415"] == 1
            assert found["temperfill_requests_total,other,HEAD,404"] == 1
            assert found["temperfill_request_seconds_count,/v1/inpaint"] == 3
            assert 0 < found["temperfill_work_seconds_sum"] <= found["temperfill_request_seconds_sum,/v1/inpaint"]
            assert found["temperfill_work_seconds_count"] == 2
            assert found["temperfill_pixels_total"] == 2 * HEIGHT * WIDTH
            assert found["temperfill_rejected_total,unsupported_picture"] == 1
            assert found["temperfill_rejected_total,not_found"] == 1
            assert found["temperfill_rejected_total,unknown_host"] == 1
            assert found["process_resident_memory_bytes"] > 0

    asyncio.run(main())


def test_the_queue_is_shown_as_it_is() -> None:
    held = Held()

    async def main() -> None:
        async with running(lambda: held, ON) as (client, service):
            sent = [asyncio.ensure_future(client.post("/v1/inpaint", files=form())) for _ in range(2)]
            while service.jobs.num_working + service.jobs.num_waiting < 2 or not service.jobs.num_working:
                await asyncio.sleep(0.01)
            assert (await client.post("/v1/inpaint", files=form())).status_code == 503
            found = await values(client)
            assert (found["temperfill_working"], found["temperfill_queue_length"]) == (1, 1)
            assert found["temperfill_rejected_total,busy"] == 1
            held.let_go.set()
            assert [(await one).status_code for one in sent] == [200, 200]
            found = await values(client)
            assert (found["temperfill_working"], found["temperfill_queue_length"]) == (0, 0)

    asyncio.run(main())


def test_they_are_off_unless_asked_for_and_need_the_token() -> None:
    async def main() -> None:
        async with running(Held) as (client, _):
            assert (await client.get("/metrics")).status_code == 404
        async with running(Held, ServiceLimits(metrics=True, token="secret")) as (client, _):
            assert (await client.get("/metrics")).status_code == 401

    asyncio.run(main())
