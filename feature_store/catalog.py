"""The definitions that a process works with, checked when it starts."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

from feature_store.aggregators import RecentIds
from feature_store.definition_files import SHIPPED, read_definitions
from feature_store.settings import Settings
from feature_store.validation import (
    InvalidDefinition,
    check_attribute,
    check_ids,
    check_name,
    check_recents,
    check_unique,
    check_view,
)
from feature_store.views import (
    FeatureService,
    FeatureView,
    ItemAttribute,
    Recents,
    ServiceDefinition,
    column_ref,
)

__all__ = ["Catalog", "InvalidDefinition", "ViewSet", "load_catalog", "load_folded", "read_catalog"]

_ATTRIBUTE = "attribute"
T = TypeVar("T")


class ViewSet:
    """Views, and what their entities need: all that ingest and feature workers have to know."""

    def __init__(self, views: Iterable[FeatureView]) -> None:
        self.views = tuple(views)

    @property
    def entities(self) -> tuple[str, ...]:
        """Every entity that some view is about, each once."""
        return tuple(dict.fromkeys(view.entity for view in self.views))

    def views_of(self, entity: str) -> tuple[FeatureView, ...]:
        """The views of an entity, in the order of declaration."""
        return tuple(view for view in self.views if view.entity == entity)

    def entity_inputs(self, entity: str) -> tuple[str, ...]:
        """Extra columns that batches of an entity must carry, each once."""
        return tuple(dict.fromkeys(column for view in self.views_of(entity) for column in view.inputs))

    def entity_events(self, entity: str) -> frozenset[str]:
        """Events that feed some view of an entity."""
        return frozenset(name for view in self.views_of(entity) for name in view.event_names)


class Catalog(ViewSet):
    """Views, item attributes and services that fit together.

    Raises
    ------
    InvalidDefinition
        When a name is used twice, or a definition refers to what is not there.
    """

    def __init__(
        self,
        views: Iterable[FeatureView],
        attributes: Iterable[ItemAttribute],
        services: Iterable[ServiceDefinition],
    ) -> None:
        super().__init__(views)
        self.item_attributes = tuple(attributes)
        check_unique("view", (view.name for view in self.views))
        check_unique("item attribute", (attribute.name for attribute in self.item_attributes))
        for view in self.views:
            check_view(view)
        for attribute in self.item_attributes:
            check_attribute(attribute)
        self._views = {view.name: view for view in self.views}
        self._services = {definition.name: self._service(definition) for definition in services}

    @property
    def services(self) -> tuple[FeatureService, ...]:
        """Every service, in the order of declaration."""
        return tuple(self._services.values())

    def view(self, name: str) -> FeatureView:
        """The view of this name; KeyError if there is none."""
        return _named("view", name, self._views)

    def service(self, name: str) -> FeatureService:
        """The service of this name; KeyError if there is none."""
        return _named("service", name, self._services)

    def attribute(self, name: str) -> ItemAttribute:
        """The item attribute of this name; KeyError if there is none."""
        return {attribute.name: attribute for attribute in self.item_attributes}[name]

    def _service(self, definition: ServiceDefinition) -> FeatureService:
        columns = (*definition.user, *definition.candidate)
        check_name("service", definition.name)
        check_unique(f"column of service {definition.name}", columns)
        check_ids(definition.name, definition.ids)
        check_recents(definition.name, definition.recents, {column.name for column in definition.ids})
        for reference in definition.user:
            if self._meaning(definition, reference)[0] != "user":
                raise InvalidDefinition(f"service {definition.name}: {reference} is no feature of the user")
        meaning = [self._meaning(definition, reference) for reference in columns]
        ids = [(column.name, column.source) for column in definition.ids]
        recents = tuple((each, self._held(definition, each)) for each in definition.recents)
        meaning_of_recents = [(each, self._meaning(definition, each.source), k) for each, k in recents]
        what = (meaning, ids, meaning_of_recents) if recents else (meaning, ids)
        fingerprint = hashlib.blake2b(repr(what).encode(), digest_size=6).hexdigest()
        return FeatureService(
            definition.name, definition.user, definition.candidate, definition.ids, fingerprint, recents
        )

    def _held(self, definition: ServiceDefinition, recents: Recents) -> int:
        """How many ids the feature keeps."""
        view, column = column_ref(recents.source)
        entity, _, _ = self._meaning(definition, recents.source)
        feature = self._views[view].feature(column) if view in self._views else None
        if entity != "user" or feature is None or not isinstance(feature.source, RecentIds):
            raise InvalidDefinition(
                f"service {definition.name}, recents {recents.name}: {recents.source} is no feature of the "
                "user with aggregator recent_ids"
            )
        return feature.source.k

    def _meaning(self, definition: ServiceDefinition, reference: str) -> tuple[object, ...]:
        """(entity, fingerprint of its view, column) of a reference."""
        view_name, column = column_ref(reference)
        if view_name == _ATTRIBUTE and column in {attribute.name for attribute in self.item_attributes}:
            return (_ATTRIBUTE, column, self.attribute(column).default)
        view = self._views.get(view_name)
        if view is None or column not in view.columns:
            known = ", ".join(_references(self.views, self.item_attributes))
            raise InvalidDefinition(f"service {definition.name}: there is no {reference}; there are {known}")
        return (view.entity, view.fingerprint, column)


@cache
def load_catalog() -> Catalog:
    """The definitions of ``EDDYLINE_DEFINITIONS``, those that are shipped where it is not set, checked."""
    return read_catalog(Settings().definitions or SHIPPED)


@cache
def load_folded() -> ViewSet:
    """The views that are kept up to date: those of :func:`load_catalog`, and those that are being retired.

    ``EDDYLINE_DEFINITIONS_RETIRING`` names the definitions that an older model still reads; a view that did
    not change since is one view.
    """
    current, retiring = load_catalog(), Settings().definitions_retiring
    older = () if retiring is None else read_catalog(retiring).views
    return ViewSet({view.fingerprint: view for view in (*older, *current.views)}.values())


def read_catalog(folder: Path) -> Catalog:
    """The definitions in ``folder``, checked.

    Raises
    ------
    InvalidDefinition
        As `read_definitions` and :class:`Catalog`.
    """
    found = read_definitions(folder)
    return Catalog(found.views, found.item_attributes, found.services)


def _named(what: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        raise KeyError(f"the definitions have no {what} {name!r}; they have {', '.join(known)}")
    return known[name]


def _references(views: Iterable[FeatureView], attributes: Iterable[ItemAttribute]) -> Iterator[str]:
    yield from (f"{view.name}.{column}" for view in views for column in view.columns)
    yield from (f"{_ATTRIBUTE}.{attribute.name}" for attribute in attributes)
