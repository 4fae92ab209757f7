"""A feedback loop is planted while traffic runs: the detectors find it, and on-call hears of it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

from httpx import HTTPError
from rich.markup import escape

from eddyline.clients.alerts import Alert, firing
from eddyline.clients.events import EventPublisher
from eddyline.commands.loops._explanation import explanation
from eddyline.demo import screens
from eddyline.demo.detectors import DetectorWatch
from eddyline.demo.partner import PopularityJob
from eddyline.demo.settings import DELTA, EPOCH_S
from eddyline.demo.stage import Stage
from eddyline.demo.traffic import Traffic
from feature_store.findings_log import read_findings
from feature_store.online.switches import Switch, open_switches
from feature_store.schema.assignments import NUDGES
from streams.simulator import World

_ALERT = "EddylineLoopDetected"
_CONTROL_WITHIN_S, _FOUND_WITHIN_S = 90.0, 90.0


class LoopShow:
    """Nudges without a loop, as a control; then with one.

    Parameters
    ----------
    stage : where
    world : whose items the planted job announces
    """

    def __init__(self, stage: Stage, world: World) -> None:
        self._stage = stage
        self._world = world
        self._switches = open_switches(stage.stack.settings)
        self._detectors = DetectorWatch(stage.stack, stage.clock)
        self._alerts: list[Alert] = []

    def hold_nudges(self) -> None:
        """Leave scores alone until the show."""
        now_ms = self._stage.clock.now_ms()
        self._switches.switch_off(NUDGES, Switch("the demo nudges later", now_ms))

    @contextmanager
    def nudged(self) -> Iterator[None]:
        """Nudge scores while the block runs."""
        self._stage.say(
            f"\nfrom now on each item's score is nudged by ±{DELTA}, by a coin every {EPOCH_S} s, and"
            " detectors look whether scores answer; thresholds are those of production: W ≥ 100 is a ticket,"
            " 1000 a page"
        )
        self._switches.switch_on(NUDGES)
        try:
            yield
        finally:
            self.hold_nudges()

    def play(self, traffic: Traffic) -> None:
        """The rest of the control, then the loop, which is gone afterwards."""
        stage = self._stage
        self._watch("scores are nudged, no loop is there", traffic, self._control_over())
        control = self._detectors.look()
        if control.verdict != "quiet":
            stage.say(
                f"the detectors are {control.verdict or 'silent'}, no loop is planted;"
                f" epochs and exposures so far: {self._detectors.counts()}"
            )
            return
        stage.say(
            "a loop is planted: a partner's job reads the scores that we publish, and announces their"
            " mean as the items' popularity, which the model reads"
        )
        with self._planted():
            self._watch("a loop is planted", traffic, self._found())
            self._show(control.seconds)

    def _show(self, planted_s: float) -> None:
        stage = self._stage
        stage.console.print(screens.evidence(self._detectors.changes, planted_s))
        findings = read_findings(stage.stack.settings)
        for state in findings.values():
            for line in explanation(state):
                stage.say(escape(line))
        for alert in self._alerts:
            stage.say(f"alert {alert.name} ({alert.severity}): {escape(alert.summary)}; {alert.runbook}")
        if not self._alerts:
            stage.say(f"not found within {_FOUND_WITHIN_S:.0f} s: {self._detectors.counts()}")
            return
        stage.say(
            "while it is open no model is trained or promoted; the runbook says how to make it safe, and"
            " ends with eddyline loops acknowledge FINDING --close"
        )

    @contextmanager
    def _planted(self) -> Iterator[None]:
        settings, clock = self._stage.stack.settings, self._stage.clock
        publisher = EventPublisher(settings)
        with (
            closing(PopularityJob(settings, self._world, publisher, clock)) as job,
            Traffic(job, 1.0, clock) as running,
        ):
            yield
            running.check()
        publisher.flush()

    def _watch(self, phase: str, traffic: Traffic, done: Callable[[], bool]) -> None:
        self._stage.watch(phase, traffic, done, self._detectors.words)

    def _control_over(self) -> Callable[[], bool]:
        late = self._stage.for_seconds(_CONTROL_WITHIN_S)
        return lambda: self._detectors.look().verdict == "quiet" or late()

    def _found(self) -> Callable[[], bool]:
        late = self._stage.for_seconds(_FOUND_WITHIN_S)

        def found() -> bool:
            if self._detectors.look().verdict == "loop_detected":
                with suppress(HTTPError):  # it is asked again
                    alerts = firing(self._stage.stack.addresses.alertmanager)
                    self._alerts = [alert for alert in alerts if alert.name == _ALERT]
            return bool(self._alerts) or late()

        return found
