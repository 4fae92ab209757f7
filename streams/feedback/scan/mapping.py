"""Which column of somebody's log means what."""

from pathlib import Path

import msgspec


class MappingError(ValueError):
    """A column mapping cannot be used; the message names the field."""


class ColumnMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Columns of a log of exposures, one row per item shown.

    Attributes
    ----------
    item, reward : id of the item shown, and what it earned (a number)
    time : when it was shown: a timestamp, ISO text, or integer milliseconds since 1970; None: row order
    position : place on the screen, part of what a propensity is about
    propensity : probability with which the logging policy put this item at this position
    user : columns that together name who saw it; rows of one user are not taken as independent
    catalogue_size : how many items could have been shown; 0: those that appear
    """

    item: str
    reward: str
    time: str | None = None
    position: str | None = None
    propensity: str | None = None
    user: tuple[str, ...] = ()
    catalogue_size: int = 0

    @property
    def columns(self) -> list[str]:
        """All columns named."""
        single = [self.item, self.reward, self.time, self.position, self.propensity]
        return [name for name in single if name is not None] + list(self.user)


def read_mapping(path: Path) -> ColumnMapping:
    """The mapping in a TOML file of the fields of :class:`ColumnMapping`.

    Raises
    ------
    MappingError
        The file is no text or no TOML, or a field is missing, unknown or of the wrong type.
    OSError
        The file cannot be read.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=ColumnMapping)
    except msgspec.DecodeError as error:
        raise MappingError(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        raise MappingError(f"{path} is no text: {error}") from error
