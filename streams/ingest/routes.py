"""Which events go to which entity, and with which columns: read off the catalogue's views."""

from dataclasses import dataclass

from feature_store.aggregators.base import is_among
from feature_store.catalog import ViewSet
from feature_store.schema.ids import SEPARATOR


@dataclass(frozen=True, slots=True)
class EntityRoute:
    """The events that an entity's views take, and the extra columns that they declare.

    ``user|genres`` has the parts ``user`` and ``genres``, an attribute of the item.
    """

    entity: str
    event_names: frozenset[str]
    columns: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """What the entity combines."""
        return tuple(self.entity.split(SEPARATOR))

    def takes(self, event_name: str) -> bool:
        """Whether a view of the entity is fed by this event."""
        return is_among(event_name, self.event_names)


def routes_of(views: ViewSet) -> tuple[EntityRoute, ...]:
    """The routes that views need, one per entity."""
    return tuple(
        EntityRoute(
            entity,
            views.entity_events(entity),
            views.entity_inputs(entity),
        )
        for entity in views.entities
    )
