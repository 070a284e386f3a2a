"""The web application: a page, /predict, /health, /metrics and /openapi.json, around a model that answers batches."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from numpy.typing import NDArray
from PIL import Image
from starlette.exceptions import HTTPException

from scene_lightning import __version__
from scene_lightning._registry import did_you_mean
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.inference.rejection import unknown_name
from scene_lightning.pages.pictures import data_url
from scene_lightning.serving import schema
from scene_lightning.serving.batching import Batcher, Row
from scene_lightning.serving.clients import Room, Turns, busy, client_of
from scene_lightning.serving.decoding import SEEN_SIDE, Decoders
from scene_lightning.serving.guard import Guard
from scene_lightning.serving.limits import Limits, RefusedError
from scene_lightning.serving.measurements import CONTENT_TYPE, Measurements
from scene_lightning.serving.page import page_of
from scene_lightning.serving.uploads import Upload, Uploads


class Model(Protocol):
    """What answers: on PyTorch or ONNX Runtime."""

    info: ImageInfo
    # a picture (height, width, 3) and a class' index → the picture under a heat map of what speaks for that class
    explain: Callable[[NDArray[np.uint8], int], Image.Image] | None

    def answer(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Class probabilities (N, K) of images (N, H, W, C), decoded as `info.spec` says, and which show no class."""
        ...


class Service:
    """From photographs to results: decoders, batches and the model, within the limits.

    Args:
        model: what answers.
        name: what it is called.
        limits: what is accepted at most.
        batch_size: images a batch, at most.
        wait_seconds: how long an image waits for others of the same moment.
    """

    def __init__(self, model: Model, name: str, limits: Limits, batch_size: int, wait_seconds: float) -> None:
        self.model, self.name, self.limits = model, name, limits
        self._kind = schema.Result if model.info.thresholds is None else schema.LabelsResult
        self.status = "warming up"
        self.measurements = Measurements()
        self.uploads = Uploads(limits)
        self.decoders = Decoders(model.info.spec, limits)
        self.batcher = Batcher(
            model.answer, largest=batch_size, wait_seconds=wait_seconds, on_batch=self.measurements.batch_images.observe
        )
        self.turns = Turns(2 * batch_size)  # a batch at the model, and one that gathers
        self._under_way = Room("photographs", limits.images_under_way, limits.share_of_a_client)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Within the block requests are answered: from the moment when everything has warmed up."""
        tasks = [asyncio.create_task(self.batcher.run()), asyncio.create_task(self._warm_up())]
        try:
            yield
        finally:
            self.status = "stopping"
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            self.batcher.thread.shutdown(cancel_futures=True)

    async def _warm_up(self) -> None:
        loop = asyncio.get_running_loop()
        for size in (1, self.batcher.largest):
            images = np.zeros((size, *self.model.info.spec.shape), np.uint8)
            await loop.run_in_executor(self.batcher.thread, self.model.answer, images)
        await self.decoders.warm_up()
        self.status = "ready"
        self.measurements.ready.set(1)

    async def results(
        self, uploads: list[Upload], client: str, heatmap: bool = False, label: str | None = None
    ) -> list[schema.AnyResult]:
        """One result a photograph; of a single one that cannot be read, a RefusedError.

        Args:
            uploads: of one request; they are decoded one after another, so that other requests have their turn.
            client: who sent them.
            heatmap: whether the results have heat maps.
            label: the class that they are of; None for each photograph's likeliest.
        """
        if heatmap and self.model.explain is None:
            cure = (
                "Ask without heatmap, or serve the model on PyTorch with captum: pip install 'scene-lightning[explain]'"
            )
            raise RefusedError(400, "A request without heatmap.", "One with it, which this server cannot make.", cure)
        names = self.model.info.class_names
        if label is not None and label not in names:
            hint = f"See /health.{did_you_mean(label, names)}"
            raise RefusedError(400, "A label that the model knows.", f"{label!r:.80}.", hint)
        self._under_way.take(client, len(uploads))
        self.measurements.images_under_way.set(self._under_way.taken)
        try:
            async with asyncio.timeout(self.limits.seconds_to_answer):
                results = await self._all(uploads, client)
                if heatmap:
                    for upload, result in zip(uploads, results, strict=True):
                        await self._explain(upload, result, label)
                return results
        except TimeoutError:
            raise busy("photographs that take long") from None
        except RefusedError:
            raise
        except Exception as error:  # of the model: the device's memory is full, or a fault of this program
            print(f"error: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            raise RefusedError(500, "An answer.", "A fault of the server.", "Its terminal says which.") from None
        finally:
            self._under_way.leave(client, len(uploads))
            self.measurements.images_under_way.set(self._under_way.taken)

    async def _all(self, uploads: list[Upload], client: str) -> list[schema.AnyResult]:
        answers: list[RefusedError | asyncio.Task[Row]] = []
        try:
            for upload in uploads:
                try:
                    answers.append(await self._begun(upload, client))
                except RefusedError as error:
                    self.measurements.images.labels("refused").inc()
                    if len(uploads) == 1:
                        raise
                    answers.append(error)
            return [
                self._kind(file=upload.name, error=schema.Fault(**answer.as_dict()))
                if isinstance(answer, RefusedError)
                else self._result(upload, *await answer)
                for upload, answer in zip(uploads, answers, strict=True)
            ]
        finally:
            for answer in answers:
                if isinstance(answer, asyncio.Task):
                    answer.cancel()

    async def _begun(self, upload: Upload, client: str) -> asyncio.Task[Row]:
        """Decode a photograph in its client's turn, which ends with the model's answer."""
        await self.turns.take(client)
        try:
            with self.batcher.announce():
                image = await self.decoders.decode(upload.content)
        except BaseException:
            self.turns.give_back()
            raise
        answer = asyncio.create_task(self.batcher.answer(image))
        answer.add_done_callback(lambda _: self.turns.give_back())
        return answer

    async def _explain(self, upload: Upload, result: schema.AnyResult, label: str | None) -> None:
        """Add the heat map of a class, or of the likeliest one."""
        if result.probabilities is None or self.model.explain is None:
            return
        picture = await self.decoders.as_seen(upload.content)
        label = label or max(result.probabilities, key=result.probabilities.__getitem__)
        index = self.model.info.class_names.index(label)
        run = asyncio.get_running_loop().run_in_executor
        overlay = await run(self.batcher.thread, self.model.explain, picture, index)
        result.heatmap = data_url(overlay, side=SEEN_SIDE, quality=85)

    def _result(self, upload: Upload, row: NDArray[np.float32], unknown: bool) -> schema.AnyResult:
        info = self.model.info
        names = info.class_names
        values = {name: float(f"{value:.8g}") for name, value in zip(names, row, strict=True)}
        if info.thresholds is not None:
            held = {name: values[name] for name in info.labels_of(row.tolist())}
            self.measurements.images.labels("answered").inc()
            for name in held:
                self.measurements.classes.labels(name).inc()
            return schema.LabelsResult(file=upload.name, predicted=held, probabilities=values)
        best = names[int(np.argmax(row))]
        predicted = unknown_name(names) if unknown else best
        self.measurements.images.labels("unknown" if unknown else "answered").inc()
        self.measurements.classes.labels(predicted).inc()
        return schema.Result(
            file=upload.name, predicted=predicted, unknown=unknown, probability=values[best], probabilities=values
        )


def make_app(
    model: Model,
    name: str,
    *,
    limits: Limits | None = None,
    batch_size: int = 32,
    wait_seconds: float = 0.005,
    hosts: Collection[str] = (),
) -> FastAPI:
    """Make the application that `serve` runs; any ASGI server can.

    Args:
        model: what answers.
        name: what the page and the answers call it.
        limits: what is accepted at most; None for the defaults.
        batch_size: images a batch, at most.
        wait_seconds: how long an image waits, at most, for images of the same moment to join its batch.
        hosts: host names of this server, beside localhost and numeric addresses.
    """
    service = Service(model, name, limits or Limits(), batch_size, wait_seconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title=f"scene_lightning: {name}",
        description="Classifies photographs. Nothing that is sent is kept.",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
    )
    app.state.service = service
    app.add_middleware(Guard, names=hosts, measurements=service.measurements)  # type: ignore[arg-type]
    _answer_errors(app)
    _add_routes(app, service)
    return app


def _add_routes(app: FastAPI, service: Service) -> None:
    info, explains = service.model.info, service.model.explain is not None
    page, policy = page_of(service.name, info, service.limits, explains)

    @app.get("/", response_class=HTMLResponse, summary="The page")
    async def index() -> HTMLResponse:
        return HTMLResponse(page, headers={"content-security-policy": policy})

    asked = Query(False, description="Add a heat map of the likeliest class.", include_in_schema=explains)
    named = Query(None, description="The class that the heat map is of, in place of it.", include_in_schema=explains)

    @app.post(
        "/predict",
        summary="Classify photographs",
        responses=schema.refusals(400, 403, 408, 413, 415, 429, 500, 503),
        openapi_extra={"requestBody": schema.REQUEST_BODY},
        response_model=schema.Answer if info.thresholds is None else schema.LabelsAnswer,
        response_model_exclude_none=True,
    )
    async def predict(request: Request, heatmap: bool = asked, label: str | None = named) -> dict[str, Any]:
        """Photographs that cannot be read have an `error` in place of probabilities; a single one's is the answer."""
        if service.status != "ready":
            raise RefusedError(
                503, "A server that is ready.", f"One that is {service.status}.", "Try again in a second."
            )
        async with service.uploads.of(request) as uploads:
            return {
                "model": service.name,
                "results": await service.results(uploads, client_of(request), heatmap, label),
            }

    @app.get(
        "/health",
        summary="Whether requests are answered",
        responses={503: {"model": schema.Health}},
        response_model_exclude_none=True,
    )
    async def health(response: Response) -> schema.Health:
        response.status_code = 200 if service.status == "ready" else 503
        names = list(info.class_names)
        limits = None if info.thresholds is None else dict(zip(names, info.thresholds, strict=True))
        status: Any = service.status
        return schema.Health(status=status, model=service.name, classes=names, thresholds=limits)

    @app.get("/metrics", summary="Measurements for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(service.measurements.text(), media_type=CONTENT_TYPE)


def _answer_errors(app: FastAPI) -> None:
    """Every error has the same body."""

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> JSONResponse:
        return _as_response(error)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        expected = "GET /, POST /predict, GET /health, GET /metrics or GET /openapi.json."
        received = f"{request.method} {request.url.path[:80]}."
        return _as_response(RefusedError(error.status_code, expected, received, "See /openapi.json."), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first: dict[str, Any] = error.errors()[0]
        name, message = first["loc"][-1], first["msg"]
        return _as_response(
            RefusedError(400, f"{name}: {message}.", f"{first.get('input')!r:.80}.", "See /openapi.json.")
        )


def _as_response(error: RefusedError, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": error.as_dict()}, error.status, headers)
