"""Reads a folder of definitions: TOML files whose tables are views, item attributes and services.

All files of the folder are read as one, in the order of their names; docs/features.md describes the tables.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from feature_store import aggregators
from feature_store.features import Feature, Rate
from feature_store.validation import InvalidDefinition
from feature_store.views import FeatureView, IdColumn, ItemAttribute, Recents, ServiceDefinition

SHIPPED = Path(__file__).parent / "definitions"
"""The definitions that come with Eddyline."""

SOURCES: dict[str, type] = {
    **{
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): getattr(aggregators, name)
        for name in aggregators.__all__
        if name not in ("Aggregator", "Events")
    },
    "rate": Rate,
}
"""What a feature may be made of, by the name that files use: ``count``, ``decayed_sum``, … ``rate``."""

Table = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Definitions:
    """What a folder holds, each in the order of the files; references are not checked yet."""

    views: tuple[FeatureView, ...]
    item_attributes: tuple[ItemAttribute, ...]
    services: tuple[ServiceDefinition, ...]


class _View(msgspec.Struct, forbid_unknown_fields=True):
    entity: str
    features: dict[str, dict[str, Any]]
    owner: str
    ttl_s: int | None = None
    allowed_gain: Annotated[float, msgspec.Meta(ge=0)] | None = None


class _Told(msgspec.Struct, forbid_unknown_fields=True):
    """What a feature says beside what it is made of."""

    aggregator: str
    unit: str
    description: str
    default: float = 0.0
    owner: str = ""


class _Attribute(msgspec.Struct, forbid_unknown_fields=True):
    unit: str
    description: str
    default: float = 0.0


class _Recents(msgspec.Struct, forbid_unknown_fields=True):
    source: str
    of: str
    alike: tuple[str, ...] = ()


class _Service(msgspec.Struct, forbid_unknown_fields=True):
    user: tuple[str, ...]
    candidate: tuple[str, ...]
    ids: dict[str, str] = {}
    recents: dict[str, _Recents] = {}


_TOLD = frozenset(field.name for field in msgspec.structs.fields(_Told))
_GROUPS = ("views", "item_attributes", "services")


def read_definitions(folder: Path) -> Definitions:
    """The definitions in ``folder``.

    Raises
    ------
    InvalidDefinition
        When there are no files, one is not TOML, or a table is not what it should be; the message names the
        file, the table, and what is expected there.
    """
    tables = _read_tables(folder)
    return Definitions(
        tuple(_view(*table) for table in tables["views"]),
        tuple(_attribute(*table) for table in tables["item_attributes"]),
        tuple(_service(*table) for table in tables["services"]),
    )


def _read_tables(folder: Path) -> dict[str, list[tuple[str, str, Any]]]:
    """Group -> (file, name, table) of each entry."""
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise InvalidDefinition(f"{folder}: there are no definitions (*.toml) here")
    tables: dict[str, list[tuple[str, str, Any]]] = {group: [] for group in _GROUPS}
    for path in paths:
        for group, name, table in _entries(path):
            tables[group].append((path.name, name, table))
    return tables


def _entries(path: Path) -> Iterator[tuple[str, str, Any]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidDefinition(f"{path.name} is no TOML file: {error}") from None
    for group, entries in document.items():
        if group not in _GROUPS:
            raise InvalidDefinition(
                f"{path.name}: there is no table {group!r}; there are {', '.join(_GROUPS)}"
            )
        if not isinstance(entries, dict):
            raise InvalidDefinition(f"{path.name}: {group} must be a table, [{group}.<name>]")
        yield from ((group, name, table) for name, table in entries.items())


def _view(file: str, name: str, table: Any) -> FeatureView:
    where = f"{file}, view {name}"
    view = _convert(where, table, _View)
    features = tuple(
        _feature(f"{where}, feature {feature}", feature, declared, view.owner)
        for feature, declared in view.features.items()
    )
    return FeatureView(name, view.entity, features, view.ttl_s, view.owner, view.allowed_gain)


def _feature(where: str, name: str, table: Table, owner: str) -> Feature:
    told = _convert(where, {key: value for key, value in table.items() if key in _TOLD}, _Told)
    source = SOURCES.get(told.aggregator)
    if source is None:
        known = ", ".join(sorted(SOURCES))
        raise InvalidDefinition(f"{where}: there is no aggregator {told.aggregator!r}; there are {known}")
    made_of = {key: value for key, value in table.items() if key not in _TOLD}
    _check_keys(f"{where} ({told.aggregator})", made_of, source)
    return Feature(
        name,
        _convert(where, made_of, source),
        told.default,
        told.unit,
        told.description,
        told.owner or owner,
    )


def _check_keys(where: str, table: Table, source: type) -> None:
    """A dataclass, unlike a Struct, would be silent about keys that it does not know."""
    known = {field.name: field for field in fields(source)}
    if unknown := table.keys() - known:
        raise InvalidDefinition(f"{where}: {min(unknown)} is unknown; it takes {', '.join(known)}")
    needed = {name for name, field in known.items() if field.default is MISSING}
    if missing := needed - table.keys():
        raise InvalidDefinition(f"{where}: {min(missing)} is missing")


def _attribute(file: str, name: str, table: Any) -> ItemAttribute:
    declared = _convert(f"{file}, item attribute {name}", table, _Attribute)
    return ItemAttribute(name, declared.default, declared.unit, declared.description)


def _service(file: str, name: str, table: Any) -> ServiceDefinition:
    declared = _convert(f"{file}, service {name}", table, _Service)
    ids = tuple(IdColumn(column, source) for column, source in declared.ids.items())
    recents = tuple(
        Recents(group, told.source, told.of, told.alike) for group, told in declared.recents.items()
    )
    return ServiceDefinition(name, declared.user, declared.candidate, ids, recents)


def _convert(where: str, table: Any, wanted: type[T]) -> T:
    try:
        return msgspec.convert(table, wanted)
    except msgspec.ValidationError as error:
        raise InvalidDefinition(f"{where}: {error}") from None
