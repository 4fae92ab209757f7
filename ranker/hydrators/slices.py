"""Which slice a user is in, from a row of theirs."""

from collections.abc import Iterator
from contextlib import suppress

from feature_store.aggregators import LastValue
from feature_store.catalog import Catalog, InvalidDefinition
from feature_store.schema.ids import hash53
from feature_store.slices import Slicing
from feature_store.views import FeatureView, Float64
from ranker.hydrators.keys import USER

_COLUMN = "attribute."


class UserSlices:
    """Reads slices off the rows that keep the attribute.

    Attributes
    ----------
    view : whose rows these are

    Raises
    ------
    InvalidDefinition
        No view of the user keeps it.
    """

    def __init__(self, catalog: Catalog, slicing: Slicing) -> None:
        kept = _kept(catalog)
        if slicing.attribute not in kept:
            raise InvalidDefinition(
                f"EDDYLINE_SLICE_BY: no view of the user keeps its attribute {slicing.attribute!r}; kept are "
                f"{', '.join(sorted(kept)) or 'none'}. Declare a feature with aggregator last_value, "
                f"event user and column {_COLUMN}{slicing.attribute}"
            )
        self.view, feature = kept[slicing.attribute]
        *names, self._other = slicing.names
        self._names = {
            code: name for value, name in zip(slicing.values, names, strict=True) for code in _codes(value)
        }
        self._value = self.view.state_of(feature).stop - 1

    def of(self, row: Float64) -> str:
        """The slice of the user of a (1, width) row; one who never said is among the others."""
        return self._names.get(float(row[0, self._value]), self._other)


def _kept(catalog: Catalog) -> dict[str, tuple[FeatureView, str]]:
    """attribute -> the view and feature that have the newest value that the user's own events gave it."""
    return {
        feature.source.column.removeprefix(_COLUMN): (view, feature.name)
        for view in catalog.views_of(USER)
        for feature in view.features
        if isinstance(feature.source, LastValue)
        and feature.source.event == USER
        and feature.source.column.startswith(_COLUMN)
    }


def _codes(value: str) -> Iterator[float]:
    """What a row holds of a value: the hash of a text, a number itself."""
    yield float(hash53(value))
    with suppress(ValueError):
        yield float(value)
