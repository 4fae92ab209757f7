"""Services: the ordered columns that models read."""

from dataclasses import dataclass

from feature_store.definitions.items import ITEM_ATTRIBUTES
from feature_store.views import IdColumn


@dataclass(frozen=True)
class ServiceDefinition:
    """A service before its references are checked; see :class:`feature_store.views.FeatureService`."""

    name: str
    user: tuple[str, ...]
    candidate: tuple[str, ...]
    ids: tuple[IdColumn, ...]


def _of(view: str, *columns: str) -> tuple[str, ...]:
    return tuple(f"{view}.{column}" for column in columns)


_TASTE = (
    "impression_count_total",
    "click_count_total",
    "impressions_1d",
    "clicks_1d",
    "ctr_total",
    "ctr_1d",
    "impression_age_s",
    "click_age_s",
)

TIMELINE_V1 = ServiceDefinition(
    "timeline_v1",
    user=_of(
        "user",
        "impression_count_total",
        "click_count_total",
        "like_count_total",
        "hide_count_total",
        "impressions_1h",
        "clicks_1h",
        "impressions_1d",
        "clicks_1d",
        "ctr_total",
        "ctr_1d",
        "impression_age_s",
        "click_age_s",
    ),
    candidate=(
        *_of(
            "item",
            "impression_count_total",
            "click_count_total",
            "like_count_total",
            "hide_count_total",
            "impressions_1h",
            "clicks_1h",
            "impressions_1d",
            "clicks_1d",
            "impressions_7d",
            "clicks_7d",
            "likes_7d",
            "hides_7d",
            "ctr_total",
            "ctr_1h",
            "ctr_1d",
            "ctr_7d",
            "impressions_10m",
            "clicks_10m",
            "impression_age_s",
            "click_age_s",
        ),
        *_of(
            "creator",
            "impression_count_total",
            "click_count_total",
            "impressions_1d",
            "clicks_1d",
            "impressions_7d",
            "clicks_7d",
            "ctr_total",
            "ctr_1d",
            "ctr_7d",
            "click_age_s",
        ),
        *_of("user|creator", *_TASTE),
        *_of("user|genres", *_TASTE),
        *_of("attribute", *(attribute.name for attribute in ITEM_ATTRIBUTES)),
    ),
    ids=(
        IdColumn("user", "user_id"),
        IdColumn("item", "item_id"),
        IdColumn("creator", "creator_id"),
        *(IdColumn(f"genre_{n}", f"attribute:genres[{n}]") for n in range(3)),
        *(IdColumn(f"tag_{n}", f"attribute:tags[{n}]") for n in range(2)),
    ),
)

SERVICES = (TIMELINE_V1,)
