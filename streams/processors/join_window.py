"""How long the exposure join waits, and for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JoinWindow:
    """Spans of partition log time, in ms.

    With s, t, u the log times of a served row, an impression and an interaction: they belong
    together when t − late ≤ s ≤ t + close and t − close ≤ u ≤ t + late. An exposure closes at
    t + close; an interaction after that is late. An impression within ``late_ms`` of an earlier one
    of the same exposure repeats it, and so does an answer to the same request; later, it is a new
    one. All this depends only on what the logs hold nearby, so that reading again from a little
    earlier decides the same.

    Attributes
    ----------
    close_ms : from the impression until its exposure is first written
    late_ms : from the impression until no outcome is joined any more; at least ``close_ms``
    """

    close_ms: int
    late_ms: int

    def __post_init__(self) -> None:
        if not 0 <= self.close_ms <= self.late_ms:
            raise ValueError(f"join window: 0 <= {self.close_ms=} <= {self.late_ms=} does not hold")

    @property
    def feedback_reread_ms(self) -> int:
        """How far before the present feedback is read again, to decide as if it had never stopped.

        An impression may still be revised for ``late``; what was done up to ``close`` before it may
        belong to another one, up to ``late`` older; which repeats a third one, again up to ``late`` older.
        """
        return 3 * self.late_ms + self.close_ms

    @property
    def served_keep_ms(self) -> int:
        """How long a served row may still be asked for."""
        return 2 * self.late_ms

    @property
    def served_reread_ms(self) -> int:
        """As :attr:`feedback_reread_ms`, for `rank.served`: an answer may repeat one ``late`` older."""
        return 3 * self.late_ms
