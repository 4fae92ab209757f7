"""Slices of users: those with one value of an attribute, whom findings tell apart from the others."""

from dataclasses import dataclass

MOST_SLICES = 16
"""All together: each takes scores of users of its own in every epoch, and memory for every item."""

OTHER = "other"

ALL_USERS = ""
"""The slice that everybody is in where users are not told apart."""


@dataclass(frozen=True, slots=True)
class Slicing:
    """One slice for each of some values of a user attribute, and one for everybody else.

    Attributes
    ----------
    attribute : of users, as in their events
    values : that have a slice of their own

    Raises
    ------
    ValueError
        There are none, or too many; or one comes twice, or is called as everybody else is.
    """

    attribute: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"EDDYLINE_SLICE_VALUES: no value of {self.attribute!r} is named")
        if len(self.names) > MOST_SLICES:
            raise ValueError(
                f"EDDYLINE_SLICE_VALUES: {len(self.values)} values and {OTHER!r} are {len(self.names)} "
                f"slices; at most {MOST_SLICES}"
            )
        if len(set(self.names)) < len(self.names):
            raise ValueError(
                f"EDDYLINE_SLICE_VALUES: {', '.join(self.values)} must differ from each other and from "
                f"{OTHER!r}, which is everybody else"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Of all slices, in order; the last one is everybody else."""
        return tuple(f"{self.attribute}={value}" for value in (*self.values, OTHER))
