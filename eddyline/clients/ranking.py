"""Asks for timelines over `POST /v1/rank`, several requests at a time."""

import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import httpx
import msgspec

from feature_store.schema.requests import RankRequest, RankResponse

_LIMITS = httpx.Limits(keepalive_expiry=2.0)


@dataclass(frozen=True)
class Answer:
    """What came back for one request.

    Attributes
    ----------
    response : the ranked timeline; None if there is none
    problem : why there is none
    latency_ms : from the first byte sent to the last byte read, on this side
    """

    response: RankResponse | None
    problem: str | None
    latency_ms: float


class RankClient:
    """Kept-alive connections to one ranker, one per lane.

    A lane has a client of its own: threads that share one may close each other's idle connections. A
    connection idle for longer than a server may keep it open is not used again.

    Parameters
    ----------
    base_url : ``http://host:port``
    lanes : requests in flight at a time
    timeout_s : longest wait for one answer
    """

    def __init__(self, base_url: str, lanes: int = 4, timeout_s: float = 10.0) -> None:
        trust = ssl.create_default_context()
        self._free: SimpleQueue[httpx.Client] = SimpleQueue()
        self._clients = [
            httpx.Client(base_url=base_url, timeout=timeout_s, trust_env=False, verify=trust, limits=_LIMITS)
            for _ in range(lanes)
        ]
        for client in self._clients:
            self._free.put(client)
        self._lanes = ThreadPoolExecutor(lanes, thread_name_prefix="rank")
        self._decode = msgspec.json.Decoder(RankResponse).decode

    def rank(self, requests: Sequence[RankRequest]) -> list[Answer]:
        """The answers, in the order of ``requests``; a failure is an answer too."""
        return list(self._lanes.map(self._ask, requests))

    def close(self) -> None:
        """Finish what is in flight and close the connections."""
        self._lanes.shutdown()
        for client in self._clients:
            client.close()

    def _ask(self, request: RankRequest) -> Answer:
        body = msgspec.json.encode(request)
        client = self._free.get()
        began_ns = time.perf_counter_ns()
        try:
            answer = client.post("/v1/rank", content=body)
            problem = None if answer.is_success else f"{answer.status_code} {answer.text[:300]}"
        except httpx.HTTPError as error:
            problem = f"{type(error).__name__}: {error}"
        finally:
            self._free.put(client)
        latency_ms = (time.perf_counter_ns() - began_ns) / 1e6
        return Answer(None if problem else self._decode(answer.content), problem, latency_ms)
