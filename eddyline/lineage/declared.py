"""Assembles what each part declares into one lineage, with what the operator declares beside it."""

from pathlib import Path

import msgspec

from feature_store.catalog import load_catalog
from feature_store.definitions.lineage import feature_edges, service_edges
from feature_store.lineage import Edge, Lineage, LineageError, Node
from ranker.lineage import ranker_edges
from ranker.policies.config import load_policy
from ranker.service.settings import RankerSettings
from streams.ingest.settings import IngestSettings
from streams.lineage import stream_edges


class OutsideEdge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[edge]]`` of a lineage file; fields as in :class:`feature_store.lineage.Edge`."""

    source: str
    target: str
    by: str = "outside"
    group: str | None = None
    allowed_gain: float | None = None
    why: str = ""

    def declared(self) -> Edge:
        """The edge; raises LineageError when a node or the gain is not one."""
        return Edge(
            Node.parse(self.source),
            Node.parse(self.target),
            self.by,
            self.group,
            self.allowed_gain,
            self.why,
        )


class OutsideLineage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lineage file: what systems outside Eddyline read and write."""

    edge: tuple[OutsideEdge, ...] = ()


def declared_lineage(outside: Path | None = None) -> Lineage:
    """Everything that is declared.

    Parameters
    ----------
    outside : TOML file of ``[[edge]]`` tables

    Raises
    ------
    LineageError
        A declaration cannot be used.
    OSError
        ``outside`` cannot be read.
    """
    catalog = load_catalog()
    settings = RankerSettings()
    service = catalog.service(settings.rank_service)
    return Lineage.of(
        stream_edges(catalog, IngestSettings().ingest_group),
        feature_edges(catalog),
        service_edges(catalog, service),
        ranker_edges(service, load_policy(settings.rank_policy)),
        () if outside is None else read_outside(outside),
    )


def read_outside(path: Path) -> list[Edge]:
    """The edges of a lineage file; raises as :func:`declared_lineage`."""
    try:
        return [edge.declared() for edge in msgspec.toml.decode(path.read_bytes(), type=OutsideLineage).edge]
    except (msgspec.DecodeError, LineageError, UnicodeDecodeError) as error:
        raise LineageError(f"{path}: {error}") from error
