"""Exposures of requests that were in experiments, for tests of what reads them."""

import pyarrow as pa

from feature_store.schema.exposures import EXPOSURE_FIELDS

TYPES = {field.name: field.type for field in EXPOSURE_FIELDS}
COLUMNS = ("request_id", "item_id", "position", "nudge", "assignments", "outcomes")

NONE, SLOT_1, OUT, TREATED = (
    ("exploration", "none"),
    ("exploration", "slot_1"),
    ("holdout", "holdout"),
    ("holdout", "treatment"),
)


def rows(
    *wanted: tuple[str | None, str, int | None, float | None, list[tuple[str, str]] | None, bool],
) -> pa.Table:
    plain = [
        {
            "request_id": request,
            "item_id": item,
            "position": position,
            "nudge": nudge,
            "assignments": drawn
            and [{"experiment": name, "variant": variant, "propensity": 0.5} for name, variant in drawn],
            "outcomes": [("like", 1.0), ("click", 1.0)] if clicked else [],
        }
        for request, item, position, nudge, drawn, clicked in wanted
    ]
    return pa.Table.from_pylist(plain, schema=pa.schema([(name, TYPES[name]) for name in COLUMNS]))


ROWS = rows(
    ("r1", "a", 0, 0.1, [TREATED, SLOT_1], False),
    ("r1", "b", 1, -0.1, [TREATED, SLOT_1], True),
    ("r2", "a", 1, 0.0, [TREATED, NONE], True),
    ("r3", "c", 1, 0.0, [OUT], False),
    (None, "a", None, None, None, True),
    ("r1", "z", 11, 0.1, [TREATED, SLOT_1], False),
)
