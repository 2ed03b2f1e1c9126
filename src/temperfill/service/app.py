"""Routes of the service."""

import asyncio
import contextlib
import json
import math
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import temperfill
from temperfill import images
from temperfill.errors import InputError
from temperfill.inpainter.models import Models
from temperfill.service import dust, extending, forms, iopaint, openapi, work
from temperfill.service.addresses import Methods, Prefix
from temperfill.service.jobs import Job, Jobs
from temperfill.service.limits import SECURITY_HEADERS, BodyLimit, Gate, SecurityHeaders, Uploads
from temperfill.service.output import Output, OutputRoutes
from temperfill.service.pages import PAGE, Pages, picture_response
from temperfill.service.refusals import Refusal, internal
from temperfill.service.settings import ServiceLimits

if TYPE_CHECKING:
    from temperfill.inpainter import Inpainter
    from temperfill.service.metrics import Metrics

T = TypeVar("T")

MOST_WARNINGS, MOST_OF_WARNING = 10, 300
"""Warnings that an answer tells, and characters of each."""
SECONDS_TO_LOAD = 30.0
"""How long a question for the model waits while it is being loaded."""
SECONDS_TO_CLOSE = 5.0
"""How long the end of the service waits for work that was told to end."""


class Service:
    """What the routes share: the models, the jobs and the settings.

    Args:
        models: that may be asked for; each is loaded in the thread of the jobs, the default at once. Clients learn
            their names, not their paths.
        settings: limits.
    """

    def __init__(self, models: Models, settings: ServiceLimits) -> None:
        self.models = models
        self.settings = settings
        self.jobs = Jobs(settings.queue, settings.timeout)
        self.uploads = Uploads()
        self.is_done = threading.Event()  # set where the user has finished
        self.is_closed = False  # whether all work came to its end
        self.metrics: Metrics | None = None
        self._traces = work.Traces()
        self._loading: Future[Inpainter] | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Loads the model behind the first answers; ends all work at the end."""
        self._loading = self.jobs.prepare(self._load)
        try:
            yield
        finally:
            self.is_closed = await self.jobs.close(SECONDS_TO_CLOSE)

    def _load(self) -> "Inpainter":
        inpainter = self.models.get()
        work.warm(inpainter)
        return inpainter

    @property
    def failure(self) -> BaseException | None:
        """Why the default model could not be loaded, if so."""
        loading = self._loading
        return loading.exception() if loading is not None and loading.done() and not loading.cancelled() else None

    @property
    def inpainter(self) -> "Inpainter | None":
        """The default model once it is loaded and warm."""
        loading = self._loading
        ready = loading is not None and loading.done() and not loading.cancelled() and loading.exception() is None
        return loading.result() if ready and loading is not None else None

    def is_learned(self, name: str) -> bool:
        """Whether a model was trained; what it filled says so."""
        return self.models.facts(name).is_learned

    def ready(self, name: str = "") -> "Inpainter":
        """The model of a name, in the thread of the jobs; a refusal (503) if it cannot be had."""
        if self.inpainter is None:
            text = "the model could not be loaded" if self.failure else "the model is being loaded"
            raise Refusal(503, "loading", text, {"Retry-After": "2"})
        try:
            return self.models.get(name)
        except (OSError, ValueError):
            raise Refusal(503, "not_loaded", f"the model {name} could not be loaded; choose another") from None

    def admitted(self, request: Request) -> contextlib.AbstractAsyncContextManager[Job]:
        """A place in the queue for a request."""
        return self.jobs.admit(request.headers.get("x-job"))

    async def check(self, request: Request, job: Job, piece: Callable[[], T]) -> T:
        """Looks at what a request brought, in a thread, as long as the client is there."""
        return await self.jobs.check(job, piece, lambda: _leaves(request))

    @contextlib.asynccontextmanager
    async def form(
        self, request: Request, fields: dict[str, tuple[forms.Parser, Any]], parts: tuple[str, ...] = forms.FILES
    ) -> AsyncIterator[tuple[Job, forms.Form]]:
        """A place in the queue, and the form of the request that has it."""
        async with self.admitted(request) as job:

            async def check(look: Callable[[], images.Header]) -> images.Header:
                return await self.check(request, job, look)

            async with forms.read(request, fields, self.settings.max_pixels, check, parts) as form:
                yield job, self._with_model(form)

    def _with_model(self, form: forms.Form) -> forms.Form:
        """A form with the name of the model that is meant; a refusal (422) where there is none of its name."""
        try:
            return form.with_fields(model=self.models.find(form.model).label)
        except InputError as error:
            raise Refusal(422, "unknown_model", str(error)) from None

    async def run(
        self,
        request: Request,
        job: Job,
        piece: Callable[[work.OnProgress], T],
        filled: forms.Form | None = None,
        counts: bool = True,
    ) -> tuple[T, dict[str, str]]:
        """What a piece of work gives, and what the answer says of it: seconds and warnings.

        Args:
            request: whose client waits.
            job: of the request.
            piece: of work.
            filled: form whose picture it fills, for the measures.
            counts: as for ``Jobs.run``.
        """
        (result, warned), seconds = await self.jobs.run(
            job, lambda on_progress: work.heard(lambda: piece(on_progress)), lambda: _leaves(request), counts
        )
        if self.metrics is not None and filled is not None:
            self.metrics.worked(seconds, math.prod(filled.header.size))
        told = {"X-Warnings": json.dumps([text[:MOST_OF_WARNING] for text in warned[:MOST_WARNINGS]])}
        return result, {"X-Seconds": f"{seconds:.3f}"} | (told if warned else {})

    async def inpaint(self, request: Request) -> Response:
        """Fills the hole of a picture; the answer is a picture file, or for several seeds a ZIP file of them."""
        max_pixels, keep = self.settings.max_pixels, self.settings.keep_metadata
        async with self.form(request, forms.INPAINT_FIELDS) as (job, form):
            (content, suffix), headers = await self.run(
                request,
                job,
                lambda on_progress: work.fill(
                    self.ready(form.model), form, max_pixels, on_progress, keep, self._traces, job.show
                ),
                form,
            )
        return picture_response(content, suffix, headers)

    async def convert(self, request: Request) -> Response:
        """A picture in another format, with the metadata of its original."""
        max_pixels, keep = self.settings.max_pixels, self.settings.keep_metadata
        async with self.form(request, forms.CONVERT_FIELDS, forms.CONVERT_FILES) as (job, form):
            (content, suffix), headers = await self.run(
                request, job, lambda _: work.convert(form, max_pixels, keep, self.is_learned(form.model)), counts=False
            )
        return picture_response(content, suffix, headers)

    async def sources(self, request: Request) -> Response:
        """Where a place of the hole is copied from."""
        max_pixels = self.settings.max_pixels
        async with self.form(request, forms.SOURCES_FIELDS) as (job, form):
            found, headers = await self.run(
                request, job, lambda _: work.sources(self.ready(form.model), form, max_pixels, self._traces)
            )
        return JSONResponse(found, headers=headers)

    async def preview(self, request: Request) -> Response:
        """A picture as PNG, for browsers that cannot show its format."""
        max_pixels = self.settings.max_pixels
        async with self.form(request, {}, forms.IMAGE_ALONE) as (job, form):
            content, headers = await self.run(request, job, lambda _: work.preview(form, max_pixels), counts=False)
        headers["X-Depth"] = str(form.header.depth if form.header.is_cut else 8)
        return Response(content, media_type="image/png", headers=headers)

    async def job(self, name: str) -> dict[str, Any]:
        """State and progress of a job."""
        return self.jobs.describe(self.jobs.find(name))

    async def draft(self, name: str) -> Response:
        """What a job shows of its result before it is finished."""
        job = self.jobs.find(name)
        if job.draft is None:
            raise Refusal(404, "no_draft", "this job shows nothing now")
        box, content = job.draft
        headers = {"X-Box": ",".join(map(str, box)), "X-Draft": str(job.drafts)}
        return Response(content, media_type="image/webp", headers=headers)

    async def cancel(self, name: str) -> Response:
        """Cancels a job; one that has ended stays as it is."""
        self.jobs.cancel(self.jobs.find(name))
        return Response(status_code=204)

    async def list_models(self) -> dict[str, Any]:
        """The models to choose from; waits for the loading of the default."""
        if self._loading is not None:
            loading = asyncio.wrap_future(self._loading)
            await asyncio.wait({loading}, timeout=SECONDS_TO_LOAD)
            if loading.done() and not loading.cancelled():
                loading.exception()  # looked at, so that asyncio does not report it as forgotten
        self.ready()
        entries = [self._entry(name) for name in self.models.names]
        return {"models": [entry for entry in entries if entry], "current": self.models.default}

    def _entry(self, name: str) -> dict[str, Any] | None:
        """What clients learn of a model; None where its file is no longer there."""
        try:
            facts = self.models.facts(name)
        except (OSError, ValueError):
            return None
        return {
            "name": name,
            "terms": facts.terms,
            "bundled": self.models.find(name).is_bundled,
            "takes_sketch": facts.sketch,
            "takes_temperature": facts.temperature,
            "has_sources": facts.sources,
            "takes_avoid": facts.avoid,
            "is_learned": facts.is_learned,
        }

    async def health(self) -> JSONResponse:
        """Whether requests are worked on: 200 and ok, or 503 and loading or failed."""
        status = "failed" if self.failure else "ok" if self.inpainter else "loading"
        device = "" if self.inpainter is None else str(self.inpainter.device)
        body = {"status": status, "model": self.models.default, "device": device}
        return JSONResponse(body, 200 if status == "ok" else 503, {} if status == "ok" else {"Retry-After": "2"})


def create_app(
    models: Models,
    settings: ServiceLimits | None = None,
    *,
    start_image: Path | None = None,
    output: Output | None = None,
    page: Path = PAGE,
) -> FastAPI:
    """The ASGI application; its ``state.service`` is the ``Service``.

    Args:
        models: that may be asked for; the default is loaded behind the first answers.
        settings: limits; None for the defaults.
        start_image: picture that the editor opens at its start.
        output: place to which the editor saves it, instead of the browser's.
        page: folder of the editor's page.
    """
    settings = settings or ServiceLimits()
    service, pages = Service(models, settings), Pages(page, settings, start_image, output)
    app = FastAPI(
        title="temperfill",
        version=temperfill.__version__,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
        lifespan=service.lifespan,
        responses=openapi.ERRORS,
    )
    app.state.service = service
    post: dict[str, Any] = {"methods": ["POST"], "response_class": Response}
    app.add_api_route("/v1/inpaint", service.inpaint, **post, **openapi.INPAINT)
    app.add_api_route(extending.PATH, extending.route(service), **post, **openapi.EXTEND)
    app.add_api_route("/v1/sources", service.sources, **post, **openapi.SOURCES)
    app.add_api_route("/v1/preview", service.preview, **post, **openapi.PREVIEW)
    app.add_api_route(dust.PATH, dust.route(service), **post, **openapi.DUST)
    app.add_api_route("/v1/convert", service.convert, **post, **openapi.CONVERT)
    app.add_api_route("/v1/jobs/{name}", service.job, methods=["GET"])
    app.add_api_route("/v1/jobs/{name}/draft", service.draft, methods=["GET"], response_class=Response)
    app.add_api_route("/v1/jobs/{name}", service.cancel, methods=["DELETE"], status_code=204)
    app.add_api_route("/v1/models", service.list_models, methods=["GET"])
    app.add_api_route("/healthz", service.health, methods=["GET"])
    app.add_api_route("/start", pages.start, methods=["GET"], include_in_schema=False)
    app.add_api_route("/start/image", pages.start_picture, methods=["GET"], include_in_schema=False)
    app.add_api_route("/", pages.index, methods=["GET"], include_in_schema=False)
    app.add_api_route("/page/{name:path}", pages.page, methods=["GET"], include_in_schema=False)
    if output is not None:
        routes = OutputRoutes(service, output)
        app.add_api_route("/v1/output", routes.save, **post, include_in_schema=False)
        app.add_api_route("/v1/output/done", routes.done, **post, include_in_schema=False)
        service.is_done = output.is_done
    if settings.iopaint:
        app.add_api_route(iopaint.PATH, iopaint.route(service), **post, **openapi.IOPAINT)
    app.add_exception_handler(Refusal, _refuse)
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(ClientDisconnect, _refuse)
    app.add_exception_handler(Exception, _fail)
    # The last one added meets a request first.
    app.add_middleware(Methods, routes=app.routes)
    app.add_middleware(
        BodyLimit, max_bytes=settings.max_bytes, seconds=settings.upload_timeout, uploads=service.uploads
    )
    app.add_middleware(Gate, hosts=settings.hosts, origins=settings.origins, token=settings.token)
    if settings.metrics:
        _measure(app, service)
    app.add_middleware(Prefix, prefix=settings.root_path)
    app.add_middleware(SecurityHeaders)
    return app


def _measure(app: FastAPI, service: Service) -> None:
    """Adds measures for Prometheus."""
    from temperfill.service.metrics import PATH, Measured, Metrics

    jobs = service.jobs
    service.metrics = Metrics(lambda: jobs.num_waiting, lambda: jobs.num_working)
    app.add_api_route(PATH, service.metrics.show, methods=["GET"], include_in_schema=False)
    app.add_middleware(Measured, metrics=service.metrics, routes=app.routes)


async def _leaves(request: Request) -> None:
    """Returns when the client is no longer there; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refuse(_: Request, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return error.response()
    if isinstance(error, HTTPException):  # of the routes
        codes = {404: ("not_found", "there is nothing at this address")}
        code, text = codes.get(error.status_code, ("bad_request", "the request cannot be served"))
        return Refusal(error.status_code, code, text, error.headers).response()
    return Refusal(400, "gone", "the client left").response()


async def _fail(_: Request, error: Exception) -> Response:
    """For what nothing else answers; the server writes the error to its log."""
    response = internal().response()
    response.headers.update(SECURITY_HEADERS)
    return response
