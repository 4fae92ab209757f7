"""Recent items: announced or changed last, and not over."""

from ranker.pipeline.batch import Index
from ranker.pipeline.items import ItemColumns
from ranker.sources.shelf import Pick


def recent(items: ItemColumns, at_most: int) -> Pick:
    """Picks the ``at_most`` newest items."""

    def pick(now_ms: int) -> list[str]:
        return [items.item_ids[row] for row in newest_alive(items, now_ms, at_most).tolist()]

    return pick


def newest_alive(items: ItemColumns, now_ms: int, at_most: int) -> Index:
    """Rows of the newest items that are neither removed nor expired, newest first."""
    rows = items.newest(len(items))
    alive: Index = rows[~items.expired(rows, now_ms)]
    return alive[:at_most]
