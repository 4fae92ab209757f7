"""What flows through the stream processors."""

from collections.abc import Iterator

from feature_store.catalog import Catalog
from feature_store.lineage import CATALOGUE, USERS, Edge, topic
from feature_store.schema.topics import (
    DEAD_LETTER,
    EVENTS,
    EXPOSURES,
    FEEDBACK,
    FINDINGS,
    ITEMS,
    RANK_SERVED,
    SCORE_PANEL,
    batch_topic,
)

JOIN_GROUP = "eddyline-join"
DETECTORS_GROUP = "eddyline-detectors"


def stream_edges(catalog: Catalog, ingest_group: str) -> Iterator[Edge]:
    """Users to events, events to batches, feedback and answers to exposures, exposures to findings."""
    yield Edge(USERS, topic(EVENTS), by="producers", why="what people are shown is what they see and click")
    batches = [topic(batch_topic(entity)) for entity in catalog.entities]
    for target in (topic(DEAD_LETTER), topic(FEEDBACK), *batches):
        yield Edge(topic(EVENTS), target, by="ingest", group=ingest_group)
    yield Edge(CATALOGUE, topic(ITEMS), by="ingest", why="item events, which pass through `events` too")
    for target in (topic(FEEDBACK), *batches):
        yield Edge(topic(ITEMS), target, by="ingest", why="creator and attributes of the item")
    for source in (FEEDBACK, RANK_SERVED):
        yield Edge(topic(source), topic(EXPOSURES), by="join", group=JOIN_GROUP)
    for source in (EXPOSURES, SCORE_PANEL):
        yield Edge(topic(source), topic(FINDINGS), by="detectors", group=DETECTORS_GROUP)
    yield Edge(
        topic(FINDINGS),
        topic(FINDINGS),
        by="detectors",
        group=DETECTORS_GROUP,
        allowed_gain=0.0,
        why="what was found before, and acknowledged",
    )
