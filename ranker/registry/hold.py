"""Nothing is learned or promoted while a feedback loop is open, nor while somebody has stopped training."""

from collections.abc import Callable, Iterable, Mapping

import msgspec
from confluent_kafka import KafkaException

from feature_store.findings_log import read_findings
from feature_store.online.switches import TRAINING, Switch, open_switches
from feature_store.schema.findings import FindingState
from feature_store.settings import Settings


class HoldUnknown(RuntimeError):  # noqa: N818  (a state of the world)
    """Whether training and promotion wait cannot be found out now."""


class Hold(msgspec.Struct, frozen=True):
    """Why training and promotion wait.

    Attributes
    ----------
    reason : in words, with what ends it
    since_ms : when it began, ms UTC
    """

    reason: str
    since_ms: int


class Known(msgspec.Struct, frozen=True):
    """What the last look told.

    Attributes
    ----------
    hold : None: nothing held
    as_of_ms : when that look began, ms UTC: a hold that was logged before is known
    """

    hold: Hold | None
    as_of_ms: int


Held = Callable[[], Hold | None]
"""Whether training and promotion wait; raises `HoldUnknown`."""


def never_held() -> None:
    """Nobody asks for a hold."""


def training_hold(settings: Settings) -> Held:
    """The switch, and, while nobody has thrown it, findings that are open."""
    switches, loops = open_switches(settings), loop_hold(settings)

    def held() -> Hold | None:
        try:
            off = switches.read()
        except ConnectionError as error:
            raise HoldUnknown(str(error)) from error
        return hold_of_switch(off) or loops()

    return held


def loop_hold(settings: Settings) -> Held:
    """Held while a finding `loop_detected` is open."""

    def held() -> Hold | None:
        try:
            return hold_of_findings(read_findings(settings).values())
        except KafkaException as error:
            raise HoldUnknown(f"findings cannot be read: {error}") from error

    return held


def hold_of_switch(off: Mapping[str, Switch]) -> Hold | None:
    """What somebody asked for; ``off`` as `SwitchStore.read` gives it."""
    switch = off.get(TRAINING)
    if switch is None:
        return None
    return Hold(
        f"stopped by hand: {switch.reason}; `eddyline loops start training` ends it", switch.since_time_ms
    )


def hold_of_findings(states: Iterable[FindingState]) -> Hold | None:
    """What findings ask for."""
    holding = [state for state in states if state.holds]
    if not holding:
        return None
    named = ", ".join(f"{state.finding.finding_id} ({state.finding.subject})" for state in holding)
    return Hold(
        f"held by the open finding {named}: see `eddyline loops explain`, close it when it is mended",
        min(state.detected_ms for state in holding),
    )
