"""At which moment of each period a new model begins to serve: drawn by nobody who knows the model."""

from feature_store.deploy_calendar import DeployCalendar
from feature_store.schema.requests import Assignment
from ranker.experiments.coins import salt_id, uniforms

_NOTHING_DUE = "none"


class DeployTimes:
    """The moment of every period, by HMAC of (salt, period): the same in every process, and after a restart.

    Parameters
    ----------
    salt : whoever knows it knows all moments
    """

    def __init__(self, salt: bytes, calendar: DeployCalendar) -> None:
        self.calendar = calendar
        self._salt = salt
        self._salt_id = salt_id(salt)

    def slot(self, period: int) -> int:
        """Which of the moments of a period was drawn, counted from 0."""
        return int(uniforms(self._salt, str(period))[0] * self.calendar.slots)

    def moment_ms(self, period: int) -> int:
        """When a period's deploy happens, if there is one, ms UTC."""
        return self.calendar.moment_ms(period, self.slot(period))

    def taken_ms(self, now_ms: int) -> int:
        """Until when promotions have been taken over at ``now_ms``: the beginning of a period, ms UTC."""
        period = self.calendar.period(now_ms)
        return self.calendar.begin_ms(period if now_ms >= self.moment_ms(period) else period - 1)

    def assignment(self, period: int, *, due: bool) -> Assignment:
        """What requests of a period log: its moment, where a new model is ``due`` in it."""
        name = f"{self._salt_id}/{period}"
        if not due:
            return Assignment(f"{name}/{_NOTHING_DUE}", 1.0)
        return Assignment(f"{name}/{self.slot(period)}", 1.0 / self.calendar.slots)
