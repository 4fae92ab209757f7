"""Whether a view can work: checked at start, with messages that name the feature and what there is."""

import re
from collections.abc import Collection, Iterable
from math import inf, isfinite

from feature_store.aggregators import Aggregator, Count, MultiAttribute, Total
from feature_store.schema.ids import SEPARATOR
from feature_store.views import Feature, FeatureView, IdColumn, ItemAttribute, Rate, Recents

BASE_ENTITIES = ("item", "user", "creator")

RESERVED_VIEW = "attribute"
"""References to item attributes look like those to a view of this name."""
ROW_SLOTS_MAX = 4096
"""float64 slots of a row: requests read it whole."""
_LARGEST = 100 * 366 * 24 * 3600
"""Of any number that a definition gives: a hundred years, in seconds."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_A_NAME = "a name has lower-case letters, digits and _, a letter first"
_VIEW_NAME = re.compile(r"[a-z][a-z0-9_]*(\|[a-z][a-z0-9_]*)?")
_INTERACTION = re.compile(r"interaction/([a-z_]{1,32}|\*)")
_COLUMN = re.compile(r"item_hash|creator_hash|attribute\.[^\[\]]+(\[[1-9]\d*\])?")
_ID_SOURCE = re.compile(r"user_id|item_id|creator_id|attribute:[^\[\]]+\[\d+\]")

_USER, _ITEM = "user", "item"
_CARRIES = {
    "item": {_ITEM},
    "item_removed": {_ITEM},
    "user": {_USER},
    "impression": {_USER, _ITEM},
}
_OF_INTERACTIONS = {_USER, _ITEM}


class InvalidDefinition(ValueError):  # noqa: N818  (reads as what it is)
    """A definition that cannot work; the message names it and says what to change."""


def check_unique(what: str, names: Iterable[str]) -> None:
    """Raise :class:`InvalidDefinition` when a name comes twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidDefinition(f"{what} {name} is declared twice")
        seen.add(name)


def check_name(what: str, name: str) -> None:
    """Raise :class:`InvalidDefinition` when a name could not be referred to."""
    if not _NAME.fullmatch(name):
        raise InvalidDefinition(f"{what} {name!r}: {_A_NAME}")


def check_attribute(attribute: ItemAttribute) -> None:
    """Raise :class:`InvalidDefinition` when an item attribute cannot work."""
    if not isfinite(attribute.default):
        raise InvalidDefinition(
            f"item attribute {attribute.name}: default must be a finite number, not {attribute.default}"
        )


def check_view(view: FeatureView) -> None:
    """Raise :class:`InvalidDefinition` when a view cannot work."""
    if not _VIEW_NAME.fullmatch(view.name) or view.name == RESERVED_VIEW:
        raise InvalidDefinition(
            f"view {view.name!r}: {_A_NAME}, may be two joined by {SEPARATOR}, and is not {RESERVED_VIEW}"
        )
    _check_entity(view)
    if not view.features:
        raise InvalidDefinition(f"view {view.name}: it has no features")
    if view.ttl_s is not None and view.ttl_s <= 0:
        raise InvalidDefinition(f"view {view.name}: ttl_s must be positive, not {view.ttl_s}")
    if view.ttl_s is not None and any(isinstance(f.source, Count | Total) for f in view.features):
        raise InvalidDefinition(f"view {view.name}: all-time counts never expire, so it has no ttl_s")
    check_unique(f"feature of view {view.name}", view.columns)
    for feature in view.features:
        _check_feature(view, feature)
    if view.width > ROW_SLOTS_MAX:
        raise InvalidDefinition(
            f"view {view.name}: a row of it has {view.width} numbers, which is more than {ROW_SLOTS_MAX}; "
            "keep fewer ids or panes, or split the view"
        )


def check_ids(service: str, columns: Iterable[IdColumn]) -> None:
    """Raise :class:`InvalidDefinition` when an id column has no source that there is."""
    check_unique(f"id column of service {service}", (column.name for column in columns))
    for column in columns:
        if not _ID_SOURCE.fullmatch(column.source):
            raise InvalidDefinition(
                f"service {service}, id column {column.name}: there is no source {column.source!r}; "
                "there are user_id, item_id, creator_id and attribute:<name>[<place>]"
            )


def check_recents(service: str, recents: Iterable[Recents], ids: Collection[str]) -> None:
    """Raise :class:`InvalidDefinition` when recents are of, or alike by, an id column that there is not."""
    for each in recents:
        where = f"service {service}, recents {each.name}"
        check_name(f"service {service}, recents", each.name)
        for column in (each.of, *each.alike):
            if column not in ids:
                raise InvalidDefinition(
                    f"{where}: there is no id column {column!r}; there are {', '.join(sorted(ids))}"
                )


def _check_entity(view: FeatureView) -> None:
    first, *rest = view.entity.split(SEPARATOR)
    if first not in BASE_ENTITIES or len(rest) > 1 or not all(rest):
        raise InvalidDefinition(
            f"view {view.name}: entity {view.entity!r} is none of {', '.join(BASE_ENTITIES)}, "
            f"user{SEPARATOR}creator, user{SEPARATOR}<item attribute>"
        )
    if rest and first != _USER:
        raise InvalidDefinition(f"view {view.name}: a combined entity begins with user, not {first}")


def _check_feature(view: FeatureView, feature: Feature) -> None:
    where = f"view {view.name}, feature {feature.name}"
    if not _NAME.fullmatch(feature.name):
        raise InvalidDefinition(f"{where}: {_A_NAME}")
    if not isfinite(feature.default):
        raise InvalidDefinition(f"{where}: default must be a finite number, not {feature.default}")
    if isinstance(feature.source, Rate):
        _check_rate(where, feature.source, view)
    else:
        _check_aggregator(where, feature.source, view.entity)


def _check_rate(where: str, rate: Rate, view: FeatureView) -> None:
    counted = {feature.name for feature in view.features if not isinstance(feature.source, Rate)}
    for part in (rate.numerator, rate.denominator):
        if part not in counted:
            raise InvalidDefinition(
                f"{where}: {part} is no counted feature of the view; there are {', '.join(sorted(counted))}"
            )
    if not 0 < rate.prior_denominator < inf:
        raise InvalidDefinition(f"{where}: prior_denominator must be positive, or 0 / 0 is read")
    if not isfinite(rate.prior_numerator):
        raise InvalidDefinition(f"{where}: prior_numerator must be finite, not {rate.prior_numerator}")


def _check_aggregator(where: str, aggregator: Aggregator, entity: str) -> None:
    for name, value in vars(aggregator).items():
        if isinstance(value, int) and value > _LARGEST:
            raise InvalidDefinition(f"{where}: {name} is {value}, which is more than {_LARGEST}")
    for event in aggregator.events:
        _check_event(where, event, entity)
    for column in aggregator.inputs:
        if not _COLUMN.fullmatch(column):
            raise InvalidDefinition(
                f"{where}: events have no column {column!r}; there are item_hash, creator_hash, "
                "attribute.<name> and attribute.<name>[<values>]"
            )
        if column.endswith("]") and not isinstance(aggregator, MultiAttribute):
            raise InvalidDefinition(f"{where}: {column!r} has several values; multi_attribute reads such")


def _check_event(where: str, event: str, entity: str) -> None:
    carried = _OF_INTERACTIONS if _INTERACTION.fullmatch(event) else _CARRIES.get(event)
    if carried is None:
        known = ", ".join(_CARRIES)
        raise InvalidDefinition(
            f"{where}: there is no event {event!r}; there are {known}, interaction/<action> and interaction/*"
        )
    needed = {_USER if part == _USER else _ITEM for part in entity.split(SEPARATOR)}
    if missing := needed - carried:
        raise InvalidDefinition(
            f"{where}: event {event!r} names no {missing.pop()}, so it never reaches entity {entity!r}"
        )
