"""Our workers over some of the shipped views: ``python -m benchmarks.workers ingest|features VIEW ...``."""

import sys
from collections.abc import Callable, Sequence

from feature_store.catalog import Catalog, load_catalog
from streams.apps import features
from streams.ingest import __main__ as ingest

MAINS: dict[str, Callable[[Catalog], None]] = {"ingest": ingest.run, "features": features.run}


def catalog_of(views: Sequence[str]) -> Catalog:
    """The shipped views of these names, without a model that reads them."""
    shipped = load_catalog()
    return Catalog([shipped.view(name) for name in views], shipped.item_attributes, ())


if __name__ == "__main__":
    MAINS[sys.argv[1]](catalog_of(sys.argv[2:]))
