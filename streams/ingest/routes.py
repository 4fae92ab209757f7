"""Which events go to which entity, and with which columns: read off the catalogue's views."""

from dataclasses import dataclass
from typing import Protocol

from feature_store.schema.ids import SEPARATOR

_ANY_INTERACTION = "interaction/*"
_INTERACTION = "interaction/"


class View(Protocol):
    """What ingest asks of a view."""

    @property
    def event_names(self) -> frozenset[str]:
        """The events that feed it."""


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
        return event_name in self.event_names or (
            event_name.startswith(_INTERACTION) and _ANY_INTERACTION in self.event_names
        )
