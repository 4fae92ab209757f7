"""The Kafka front door: `rank.requests` → `rank.responses`.

A poll's requests are ranked, their responses flushed, and only then are their offsets committed, those of
a tenth of a second together: a ranker that dies answers again, under the same ``request_id``.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Event, Thread

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from feature_store.clock import Clock
from feature_store.gapless import GaplessProducer
from feature_store.outbound import Outbound
from feature_store.schema.requests import BadRequest, Problem, RankError
from feature_store.schema.topics import RANK_REQUESTS, RANK_RESPONSES
from feature_store.settings import Settings, kafka_client_config
from feature_store.telemetry.health import Heartbeat
from ranker.service.echo import echo_of, require_room
from ranker.service.lanes import Lanes, Overloaded
from ranker.service.metrics import RankerMetrics
from ranker.service.ranking import Arrival, Ranking
from ranker.side_effects.answer import Answer

DOOR = "kafka"
POLL_S = 0.2
COMMIT_EVERY_NS = 100_000_000

_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back for one message; ``answer`` is absent where it is an error."""

    message: Message
    payload: bytes
    arrival: Arrival | None = None
    answer: Answer | None = None


class KafkaDoor:
    """Reads requests, answers each of them once it is ranked, on a thread of its own.

    Parameters
    ----------
    at_once : requests taken by one poll
    max_age_ms : older requests are shed: nobody waits for them any more
    on_failure : told when the thread ends by an error; the process must end then

    Attributes
    ----------
    heartbeat : of the thread
    """

    def __init__(
        self,
        settings: Settings,
        ranking: Ranking,
        lanes: Lanes,
        metrics: RankerMetrics,
        clock: Clock,
        *,
        at_once: int,
        max_age_ms: int,
        on_failure: Callable[[Exception], None],
    ) -> None:
        self._ranking = ranking
        self._lanes = lanes
        self._metrics = metrics
        self._clock = clock
        self.heartbeat = Heartbeat(clock)
        self._at_once = at_once
        self._max_age_ms = max_age_ms
        self._on_failure = on_failure
        self._assigned = False
        self._answered: dict[int, int] = {}
        """Partition -> offset behind the last request that was answered and is not committed."""
        self._committed_ns = clock.monotonic_ns()
        self._stopping = Event()
        self._producer = GaplessProducer(settings, waiting=self.heartbeat.beat)
        self._consumer = Consumer(_consumer_config(settings))
        self._thread = Thread(target=self._run, name="kafka-door", daemon=True)

    def start(self) -> None:
        """Join the group and begin to answer."""
        self._consumer.subscribe(
            [RANK_REQUESTS], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        self._thread.start()

    def problem(self) -> str | None:
        """None once partitions are assigned, else why requests are not read."""
        return None if self._assigned else "partitions of rank.requests are not assigned yet"

    def close(self) -> None:
        """Answer what has been read, commit, and leave the group."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.heartbeat.beat()
                self._turn()
            self._commit()
        except Exception as error:  # noqa: BLE001  (the process ends by it)
            self._on_failure(error)
        finally:
            self._consumer.close()

    def _turn(self) -> None:
        messages = self._read()
        replies = self._rank(messages)
        self._send(replies)
        for message in messages:
            self._answered[message.partition() or 0] = (message.offset() or 0) + 1
        if self._clock.monotonic_ns() - self._committed_ns >= COMMIT_EVERY_NS:
            self._commit()
        for reply in replies:
            if reply.arrival is not None and reply.answer is not None:
                self._ranking.sent(reply.arrival, reply.answer, DOOR)

    def _read(self) -> list[Message]:
        """The next requests: waits for the first one only, so that a single one is not delayed."""
        first = self._consumer.poll(POLL_S)
        if first is None:
            return []
        found = [first, *self._consumer.consume(self._at_once - 1, 0)]
        for message in found:
            _raise_if_lasting(message)
        return [message for message in found if message.error() is None]

    def _rank(self, messages: Sequence[Message]) -> list[Reply]:
        begun = [self._begin(message) for message in messages]
        return [reply if isinstance(reply, Reply) else self._finish(*reply) for reply in begun]

    def _begin(self, message: Message) -> "Reply | tuple[Message, Arrival, Future[Answer]]":
        try:
            arrival = self._ranking.begin(message.value() or b"")
            require_room(message, arrival.request.request_id)
        except BadRequest as error:
            self._metrics.refused(DOOR)
            return _refusal(message, RankError(error=error.problem, request_id=error.request_id))
        try:
            self._refuse_if_old(message)
            return message, arrival, self._lanes.submit(self._ranking.answer, arrival)
        except Overloaded as error:
            self._metrics.shed(arrival.query.surface, DOOR)
            return _error(message, arrival, Problem("overloaded", str(error)))

    def _refuse_if_old(self, message: Message) -> None:
        age_ms = self._clock.now_ms() - message.timestamp()[1]
        if age_ms > self._max_age_ms:
            raise Overloaded(f"the request waited {age_ms} ms in the topic; at most {self._max_age_ms} ms")

    def _finish(self, message: Message, arrival: Arrival, future: "Future[Answer]") -> Reply:
        try:
            answer = future.result()
        except Exception as error:  # noqa: BLE001  (every request is answered)
            self._metrics.failed(arrival.query.surface, DOOR)
            _log.error("request_failed", request_id=arrival.query.request_id, error=str(error))
            return _error(message, arrival, Problem("internal", "the request failed; the log says why"))
        return Reply(message, answer.payload, arrival, answer)

    def _send(self, replies: Sequence[Reply]) -> None:
        """Produce the responses and wait until Kafka has them; where one is refused nothing is committed."""
        for reply in replies:
            key, headers = echo_of(reply.message)
            self._producer.produce(Outbound(RANK_RESPONSES, reply.payload, key, headers=headers))
        self._producer.flush()

    def _commit(self) -> None:
        """Behind the last answered request of each partition; what is lost of it is answered twice."""
        offsets = [TopicPartition(RANK_REQUESTS, partition, end) for partition, end in self._answered.items()]
        if offsets and self._stopping.is_set():
            self._consumer.commit(offsets=offsets, asynchronous=False)
        elif offsets:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        self._answered = {}
        self._committed_ns = self._clock.monotonic_ns()

    def _on_revoke(self, _: Consumer, __: Sequence[TopicPartition]) -> None:
        self._commit()

    def _on_lost(self, _: Consumer, __: Sequence[TopicPartition]) -> None:
        self._answered = {}  # another ranker has them, and may have answered them again

    def _on_assign(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._assigned = True
        _log.info("rank_requests_assigned", partitions=[each.partition for each in partitions])


def _refusal(message: Message, error: RankError) -> Reply:
    return Reply(message, _encode(error))


def _error(message: Message, arrival: Arrival, problem: Problem) -> Reply:
    request = arrival.request
    client_id = msgspec.UNSET if request.client_id is None else request.client_id
    return _refusal(message, RankError(error=problem, request_id=request.request_id, client_id=client_id))


def _raise_if_lasting(message: Message) -> None:
    error = message.error()
    if error is not None and (error.fatal() or not error.retriable()):
        raise KafkaException(error)


def _consumer_config(settings: Settings) -> dict[str, str | int | bool]:
    return {
        **kafka_client_config(settings),
        "group.id": "eddyline-ranker",
        "group.instance.id": f"ranker-{settings.instance}",
        "session.timeout.ms": settings.kafka_session_timeout_ms,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "fetch.wait.max.ms": 100,
    }
