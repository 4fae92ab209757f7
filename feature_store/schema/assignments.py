"""What our own experiments did to rows of `exposures`: reads `assignments`, `position` and `nudge`."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_store.schema.categorical import Categorical

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

NUDGES, EXPLORATION, HOLDOUT, DEPLOYS = "nudges", "exploration", "holdout", "deploys"
"""Experiments by their names in the column `assignments`."""

SLOT = "slot_"
"""How the variant of a request that gives a position away begins; its number follows."""

_MOST_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Drawn:
    """What n rows drew in one experiment.

    Attributes
    ----------
    variant : null where a row drew nothing
    propensity : (n,) NaN where a row drew nothing
    """

    variant: Categorical
    propensity: Float64

    @property
    def drew(self) -> Mask:
        """(n,) rows that were in the experiment."""
        drew: Mask = self.variant.codes >= 0
        return drew


class Draws:
    """What n rows drew in all experiments. The column is read once, whoever asks for whichever experiment.

    Parameters
    ----------
    assignments : the column of `exposures`
    """

    def __init__(self, assignments: pa.ListArray) -> None:
        drawn = pc.list_flatten(assignments)
        self._n = len(assignments)
        self._row = pc.list_parent_indices(assignments).to_numpy()
        self._experiment = Categorical.of(pc.struct_field(drawn, "experiment"))
        self._variant = Categorical.of(pc.struct_field(drawn, "variant"))
        self._propensity = pc.struct_field(drawn, "propensity").to_numpy(zero_copy_only=False)

    @property
    def experiments(self) -> list[str]:
        """Those that some row was in, in alphabetical order."""
        return sorted(self._experiment.counts())

    def of(self, experiment: str) -> Drawn:
        """What each row drew in ``experiment``."""
        mine = np.flatnonzero(self._experiment.equal(experiment))
        row = self._row[mine]
        codes, propensity = np.full(self._n, -1), np.full(self._n, np.nan)
        codes[row], propensity[row] = self._variant.codes[mine], self._propensity[mine]
        return Drawn(Categorical(codes, self._variant.names), propensity)

    def slots(self) -> NDArray[np.int64]:
        """(n,) position that each row's request gave away to chance, −1 where it gave none."""
        return self.of(EXPLORATION).variant.numbers(_slot_of)

    def held_out(self) -> Mask:
        """(n,) rows of users whom a frozen model answers."""
        return self.of(HOLDOUT).variant.equal(HOLDOUT)


def marks(rows: pa.Table) -> dict[str, Mask]:
    """`nudged`, `explored` and `held_out`, each (n,): what no row may be learned from without knowing.

    Parameters
    ----------
    rows : exposures, with the columns ``nudge``, ``assignments`` and ``position``
    """
    nudged = pc.fill_null(pc.not_equal(rows["nudge"], 0.0), False)
    draws = draws_of(rows)
    return {
        "nudged": nudged.to_numpy().astype(np.bool_),
        "explored": draws.slots() == positions_of(rows),
        "held_out": draws.held_out(),
    }


def arms(rows: pa.Table) -> dict[str, pa.Array]:
    """experiment -> (n,) string, the arm of each row, null where it is in none; in alphabetical order."""
    draws = draws_of(rows)
    return {experiment: _texts(draws.of(experiment).variant) for experiment in draws.experiments}


def draws_of(rows: pa.Table) -> Draws:
    """What rows of `exposures` drew."""
    return Draws(rows["assignments"].combine_chunks())


def positions_of(rows: pa.Table) -> Float64:
    """(n,) where each row was served, NaN where it was not: at its slot it was chosen by chance."""
    positions: Float64 = rows["position"].cast(pa.float64()).to_numpy()
    return positions


def whole_number(digits: str) -> int:
    """The number that ``digits`` write; −1 of anything else, and of one that no int64 holds."""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < _MOST_DIGITS else -1


def _slot_of(variant: str) -> int:
    digits = variant.removeprefix(SLOT)
    return whole_number(digits) if digits != variant else -1


def _texts(variant: Categorical) -> pa.Array:
    return pa.array(variant.names, pa.string()).take(pa.array(variant.codes, mask=variant.codes < 0))
