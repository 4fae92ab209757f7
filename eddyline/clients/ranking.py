"""Asks for timelines over `POST /v1/rank`, several requests at a time."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import msgspec

from feature_store.schema.requests import RankRequest, RankResponse


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
    """Kept-alive connections to one ranker.

    Parameters
    ----------
    base_url : ``http://host:port``
    lanes : requests in flight at a time
    timeout_s : longest wait for one answer
    """

    def __init__(self, base_url: str, lanes: int = 4, timeout_s: float = 10.0) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=timeout_s, trust_env=False)
        self._lanes = ThreadPoolExecutor(lanes, thread_name_prefix="rank")
        self._decode = msgspec.json.Decoder(RankResponse).decode

    def rank(self, requests: Sequence[RankRequest]) -> list[Answer]:
        """The answers, in the order of ``requests``; a failure is an answer too."""
        return list(self._lanes.map(self._ask, requests))

    def close(self) -> None:
        """Finish what is in flight and close the connections."""
        self._lanes.shutdown()
        self._http.close()

    def _ask(self, request: RankRequest) -> Answer:
        body = msgspec.json.encode(request)
        began_ns = time.perf_counter_ns()
        try:
            answer = self._http.post("/v1/rank", content=body)
            problem = None if answer.is_success else f"{answer.status_code} {answer.text[:300]}"
        except httpx.HTTPError as error:
            problem = f"{type(error).__name__}: {error}"
        latency_ms = (time.perf_counter_ns() - began_ns) / 1e6
        return Answer(None if problem else self._decode(answer.content), problem, latency_ms)
