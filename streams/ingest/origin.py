"""Which `events` batches are made of: Kafka's id of the topic, in a header of every message.

A topic that is deleted and made anew begins at offset 0 again, and the broker forgets with it how far the
group had come. Rows in Redis still count the old one: they would take what is new for what they have.
"""

from collections.abc import Iterable

from confluent_kafka import Consumer, TopicCollection
from confluent_kafka.admin import AdminClient

from feature_store.outbound import Headers
from feature_store.schema.topics import EVENTS
from feature_store.settings import Settings, kafka_client_config
from feature_store.topic_log import log_bounds, log_reader, read_log

HEADER = "events_topic_id"

_TIMEOUT_S = 30.0


class EventsMadeAnew(RuntimeError):  # noqa: N818  (a state of the world, named for what is found)
    """Rows count another topic `events` than the one that is there; ``evidence`` says how one knows."""

    def __init__(self, evidence: str) -> None:
        super().__init__(
            f"{evidence}: the topic was deleted and made anew. Rows in Redis still count the old one: start a"
            " new deployment, or delete the batch topics, the group and the rows and begin again."
        )


def headers_of_events(settings: Settings, topics: Iterable[str]) -> Headers:
    """What to put into every message that is made of `events` as it is now.

    One message that is there tells of what all were made: nobody makes any without having looked.

    Parameters
    ----------
    topics : those whose messages have these headers

    Raises
    ------
    EventsMadeAnew
        A message there was made of another `events`.
    """
    now, before = _topic_id(settings), _last_header(settings, topics)
    if before not in (None, now):
        raise EventsMadeAnew(f"batches were made of {EVENTS} with topic id {before}, the broker has {now}")
    return [(HEADER, now)]


def _topic_id(settings: Settings) -> str:
    admin = AdminClient(dict(kafka_client_config(settings)))
    (answer,) = admin.describe_topics(TopicCollection([EVENTS]), request_timeout=_TIMEOUT_S).values()
    return str(answer.result().topic_id)


def _last_header(settings: Settings, topics: Iterable[str]) -> str | None:
    """The header in the last message of a partition that holds any; None: nothing says."""
    consumer = log_reader(settings, "ingest-origin")
    try:
        found = (header for topic in topics if (header := _header_in(consumer, topic)))
        return next(found, None)
    finally:
        consumer.close()


def _header_in(consumer: Consumer, topic: str) -> str | None:
    last = {n: (end - 1, end) for n, (first, end) in log_bounds(consumer, topic).items() if first < end}
    for message in read_log(consumer, topic, dict([*last.items()][:1])):
        header = dict(message.headers() or []).get(HEADER)
        return header.decode() if isinstance(header, bytes) else header
    return None
