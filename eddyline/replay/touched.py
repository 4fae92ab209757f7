"""Which rows an event changes, as far as that decides where they live."""

from collections.abc import Iterator, Mapping

from feature_store.catalog import Catalog
from feature_store.schema.events import Event, InteractionEvent, ItemEvent, ItemRemovedEvent
from feature_store.schema.ids import SEPARATOR, partition_of


class TouchedRows:
    """Says of an event which (entity, batch partition) its rows go to, or more than those.

    Parameters
    ----------
    catalog : which events feed which entity
    creators : creator of each item that has one
    partitions : batch partitions
    """

    def __init__(self, catalog: Catalog, creators: Mapping[str, str], partitions: int) -> None:
        self._creators = creators
        self._partitions = partitions
        self._event_names = {entity: catalog.entity_events(entity) for entity in catalog.entities}

    def __call__(self, event: Event) -> Iterator[tuple[str, int]]:
        """The rows' entities and batch partitions; a row whose id the event lacks is left out."""
        ids = self._ids(event)
        names = _names(event)
        for entity, fed_by in self._event_names.items():
            owner, *others = entity.split(SEPARATOR)
            known = all(ids[part] for part in (owner, *others) if part in ids)
            if known and not fed_by.isdisjoint(names):
                yield entity, partition_of(ids[owner], self._partitions)

    def _ids(self, event: Event) -> dict[str, str]:
        """Id of each kind; empty where the event has none."""
        creator = self._creators.get(event.item_id, "")
        return {"user": event.user_id, "item": event.item_id, "creator": creator}


def _names(event: Event) -> frozenset[str]:
    """The names by which views may know this event."""
    if isinstance(event, InteractionEvent):
        return frozenset((f"interaction/{event.action}", "interaction/*"))
    return (
        frozenset(("item",)) if isinstance(event, ItemEvent | ItemRemovedEvent) else frozenset((event.name,))
    )
