"""The HTTP front door: `/v1/rank`, `/v1/events`, `/v1/timelines`, `/v1/features`, probes, OpenAPI."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import structlog
from prometheus_client import REGISTRY
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from feature_store.online.timelines import TimelineStore
from feature_store.schema.requests import BadRequest, Problem
from feature_store.telemetry.health import Heartbeat, Readiness
from ranker.service.feature_reader import FeatureReader, UnknownEntity
from ranker.service.intake import EventLog, EventsAnswer, judge
from ranker.service.lanes import Lanes, Overloaded
from ranker.service.metrics import RankerMetrics
from ranker.service.openapi import openapi_json
from ranker.service.publisher import NotAcknowledged
from ranker.service.ranking import Arrival, Ranking
from ranker.service.settings import RankerSettings
from ranker.side_effects.answer import Answer

DOOR = "http"
JSON = "application/json"
RETRY_AFTER = {"Retry-After": "1"}
BEAT_S = 1.0

_TOO_LARGE = frozenset({"too_many_candidates", "too_many_events", "body_too_large"})
_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger()


class ErrorBody(msgspec.Struct):
    """Body of every error."""

    error: Problem


@dataclass(frozen=True, slots=True)
class Backends:
    """What the endpoints stand on."""

    ranking: Ranking
    lanes: Lanes
    metrics: RankerMetrics
    events: EventLog
    timelines: TimelineStore
    features: FeatureReader
    live: Readiness
    ready: Readiness


class HttpDoor:
    """The endpoints; :meth:`app` is the ASGI application.

    Parameters
    ----------
    settings : limits of bodies
    heartbeat : beaten by the event loop
    """

    def __init__(self, settings: RankerSettings, backends: Backends, heartbeat: Heartbeat) -> None:
        self._settings = settings
        self._to = backends
        self._heartbeat = heartbeat

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/rank", self.rank, methods=["POST"]),
                Route("/v1/events", self.events, methods=["POST"]),
                Route("/v1/timelines/{user_id:path}", self.timeline),
                Route("/v1/features/{entity}/{entity_id:path}", self.features),
                Route("/healthz", _probe(self._to.live)),
                Route("/readyz", _probe(self._to.ready)),
                Route("/metrics", _metrics),
                Route("/openapi.json", _openapi),
            ],
            exception_handlers={
                HTTPException: _on_http_error,
                BadRequest: _on_bad_request,
                Overloaded: _on_overload,
                NotAcknowledged: _on_not_acknowledged,
                UnknownEntity: _on_unknown_entity,
                Exception: _on_failure,
            },
            lifespan=self._beating,
        )

    async def rank(self, request: Request) -> Response:
        """`POST /v1/rank`."""
        body = await _body(request, self._settings.http_max_body_bytes)
        try:
            arrival = self._to.ranking.begin(body)
        except BadRequest:
            self._to.metrics.refused(DOOR)
            raise
        return await self._ranked(arrival)

    async def events(self, request: Request) -> Response:
        """`POST /v1/events`: 202 once Kafka has acknowledged every event that was not refused."""
        body = await _body(request, self._settings.http_max_events_bytes)
        judged = await run_in_threadpool(judge, body, self._settings.http_max_events)
        await asyncio.wrap_future(self._to.events.publish_events(judged.accepted))
        return _json(EventsAnswer(len(judged.accepted), judged.rejected), 202)

    async def timeline(self, request: Request) -> Response:
        """`GET /v1/timelines/{user_id}`."""
        user_id = request.path_params["user_id"]
        payload = await run_in_threadpool(self._to.timelines.get, user_id)
        if payload is None:
            raise HTTPException(404, f"no timeline is ready for user {user_id}")
        return Response(payload, media_type=JSON)

    async def features(self, request: Request) -> Response:
        """`GET /v1/features/{entity}/{entity_id}`."""
        entity, entity_id = request.path_params["entity"], request.path_params["entity_id"]
        return _json(await run_in_threadpool(self._to.features.read, entity, entity_id))

    @asynccontextmanager
    async def _beating(self, _: Starlette) -> AsyncIterator[None]:
        beating = asyncio.create_task(self._beat())
        yield
        beating.cancel()

    async def _beat(self) -> None:
        while True:
            self._heartbeat.beat()
            await asyncio.sleep(BEAT_S)

    async def _ranked(self, arrival: Arrival) -> Response:
        ranking, metrics, surface = self._to.ranking, self._to.metrics, arrival.query.surface
        try:
            answer = await asyncio.wrap_future(self._to.lanes.submit(ranking.answer, arrival))
        except Overloaded:
            metrics.shed(surface, DOOR)
            raise
        except Exception:
            metrics.failed(surface, DOOR)
            raise
        return Response(
            answer.payload, media_type=JSON, background=BackgroundTask(self._sent, arrival, answer)
        )

    async def _sent(self, arrival: Arrival, answer: Answer) -> None:
        self._to.ranking.sent(arrival, answer, DOOR)


async def _body(request: Request, at_most: int) -> bytes:
    """The request's body; refused as soon as it is longer than ``at_most`` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > at_most:
        raise _body_too_large(at_most)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > at_most:
            raise _body_too_large(at_most)
        chunks.append(chunk)
    return b"".join(chunks)


def _body_too_large(at_most: int) -> BadRequest:
    return BadRequest(Problem("body_too_large", f"the body has more than {at_most} bytes"))


def _probe(probe: Readiness) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        problem = await run_in_threadpool(probe)
        return _json({"ok": problem is None, "reason": problem}, 200 if problem is None else 503)

    return endpoint


async def _metrics(_: Request) -> Response:
    text = await run_in_threadpool(generate_latest, REGISTRY)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _openapi(_: Request) -> Response:
    return Response(openapi_json(), media_type=JSON)


async def _on_bad_request(_: Request, error: Exception) -> Response:
    problem = error.problem if isinstance(error, BadRequest) else Problem("malformed", str(error))
    return _error(413 if problem.code in _TOO_LARGE else 400, problem)


async def _on_overload(_: Request, error: Exception) -> Response:
    return _error(503, Problem("overloaded", str(error)), RETRY_AFTER)


async def _on_not_acknowledged(_: Request, error: Exception) -> Response:
    return _error(503, Problem("not_acknowledged", str(error)), RETRY_AFTER)


async def _on_unknown_entity(_: Request, error: Exception) -> Response:
    return _error(404, Problem("unknown_entity", str(error), "entity"))


async def _on_http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = error.detail if isinstance(error, HTTPException) else ""
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "http_error")
    return _error(status, Problem(code, message))


async def _on_failure(request: Request, error: Exception) -> Response:
    _log.error("request_failed", path=request.url.path, error=f"{type(error).__name__}: {error}")
    return _error(500, Problem("internal", "the request failed; the log says why"))


def _error(status: int, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    return Response(_encode(ErrorBody(problem)), status, headers, JSON)


def _json(value: object, status: int = 200) -> Response:
    return Response(_encode(value), status, media_type=JSON)
