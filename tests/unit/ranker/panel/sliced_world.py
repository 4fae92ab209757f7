"""A world whose users say where they live, and rankings that log it."""

from dataclasses import replace

from feature_store.aggregators import LastValue, MultiAttribute
from feature_store.catalog import Catalog
from feature_store.fetcher import RowFetcher
from feature_store.schema.ids import partition_of
from feature_store.schema.served import ServedRequest
from feature_store.slices import Slicing
from feature_store.views import Feature, FeatureView
from ranker.hydrators.rows import RowHydrator
from ranker.hydrators.slices import UserSlices
from ranker.side_effects.answer import Answer
from ranker.side_effects.served import served_request
from streams.ingest.attributes import AttributeColumn
from tests.unit.ranker.world import CATALOG, NOW_MS, PARTITIONS, SERVICE, World

BY_COUNTRY = Slicing("country", ("NL", "DE"))
NL, DE, OTHER = BY_COUNTRY.names
PROFILE = FeatureView(
    "user_profile",
    "user",
    (
        Feature("country", LastValue("user", "attribute.country")),
        Feature("plan", LastValue("user", "attribute.plan")),
        Feature("clicked", LastValue("interaction/click")),
        Feature("languages", MultiAttribute("user", "languages", 2)),
    ),
)
KEPT = Catalog((*CATALOG.views, PROFILE), CATALOG.item_attributes, ())


def profile(**attributes: float | str):
    """The row of a user who said so much, as ingest and feature workers would leave it."""
    rows = PROFILE.blank_rows(1)
    for name, value in attributes.items():
        rows[0, PROFILE.state_of(name)] = (NOW_MS - 500, AttributeColumn(name, 0).encode({name: value}))
    return rows


def served(
    world: World, user_id: str, item_ids: list[str], slicing: Slicing | None = BY_COUNTRY
) -> ServedRequest:
    """What is logged of a request."""
    slices = None if slicing is None else UserSlices(KEPT, slicing)
    fetcher = RowFetcher(world.store)
    world.hydrator = RowHydrator(CATALOG, SERVICE, world.items, fetcher, PARTITIONS, slices)
    query = replace(world.query(item_ids, user_id=user_id), request_id=f"r-{user_id}")
    outcome = world.pipeline().rank(query)
    assert outcome.degraded == ()
    return served_request(Answer(query, outcome, b"", NOW_MS, "f"))


def partition(user_id: str) -> int:
    """Where a user's rows lie."""
    return partition_of(user_id, PARTITIONS)
