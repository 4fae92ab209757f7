"""When a new model may begin to serve, where deploy times are drawn: what rankers and detectors agree on."""

from dataclasses import dataclass

LEAD_STEPS = 8
"""Steps before the first moment of a period, and about as many after the last: before and after a deploy."""


@dataclass(frozen=True, slots=True)
class DeployCalendar:
    """Time in periods of equal steps, with one deploy at most in each, at one of ``slots`` moments.

    A period is its own before and after: ``LEAD_STEPS`` steps, then the first moment; from the last one on
    there are ``LEAD_STEPS`` steps. So whatever else is deployed, in other periods, is not within it.

    Parameters
    ----------
    slots : moments of a period, >= 0; 0: deploy times are not drawn
    step_ms : > 0
    """

    slots: int
    step_ms: int

    @property
    def steps(self) -> int:
        """Of a period."""
        return self.slots + 2 * LEAD_STEPS - 1

    @property
    def period_ms(self) -> int:
        """Length of a period, ms."""
        return self.steps * self.step_ms

    def period(self, time_ms: int) -> int:
        """Number of the period that ``time_ms`` is in."""
        return time_ms // self.period_ms

    def begin_ms(self, period: int) -> int:
        """When a period begins, ms UTC."""
        return period * self.period_ms

    def moment_ms(self, period: int, slot: int) -> int:
        """When what was promoted before a period begins to serve in it, if ``slot`` was drawn, ms UTC."""
        return self.begin_ms(period) + (LEAD_STEPS + slot) * self.step_ms
