"""The loop detectors as the demo sees them: their verdict and evidence, as they go."""

from dataclasses import dataclass

from eddyline.clients.loops import judgements, labelled, measured
from eddyline.clients.running import RunningStack
from feature_store.clock import Clock
from streams.feedback.board import NAME as BOARD
from streams.feedback.production.score_watch import SCORES

_LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """How the detectors stood.

    Attributes
    ----------
    seconds : since the first look
    verdict : "" before they have judged anything
    evidence, page : W and the threshold of a page, as powers of ten
    """

    seconds: float
    verdict: str
    evidence: float
    page: float


class DetectorWatch:
    """Asks the fused detectors of scores of a stack, once a second at most.

    Attributes
    ----------
    changes : looks that differ from the one before
    """

    def __init__(self, stack: RunningStack, clock: Clock) -> None:
        metrics = stack.addresses.metrics
        self._processes = {name: url for name, url in metrics.items() if name.startswith("detectors-")}
        self._clock = clock
        self._began_ns: int | None = None
        self._last: Look | None = None
        self.changes: list[Look] = []

    def look(self) -> Look:
        """How they stand."""
        now_ns = self._clock.monotonic_ns()
        self._began_ns = now_ns if self._began_ns is None else self._began_ns
        seconds = (now_ns - self._began_ns) / 1e9
        if self._last is None or seconds - self._last.seconds >= _LOOK_EVERY_S:
            self._last = self._asked(seconds)
            before = self.changes[-1] if self.changes else None
            if before is None or (before.verdict, before.evidence) != (
                self._last.verdict,
                self._last.evidence,
            ):
                self.changes.append(self._last)
        return self._last

    def words(self) -> tuple[tuple[str, str], ...]:
        """The same for the live screen."""
        look = self.look()
        evidence = f"10^{look.evidence:.1f} of 10^{look.page:.0f}" if look.verdict else ""
        return (("loop detectors", look.verdict or "nothing judged yet"), ("evidence W", evidence))

    def counts(self) -> str:
        """What became of epochs and exposures, in words."""
        samples = [each for each in measured(self._processes) if each.labels.get("watch", SCORES) == SCORES]
        return ", ".join(
            f"{kind} {outcome} {count:,.0f}"
            for kind in ("epochs", "exposures")
            for outcome, count in labelled(samples, f"eddyline_loop_{kind}_total", "outcome").items()
            if count
        )

    def _asked(self, seconds: float) -> Look:
        samples = measured(self._processes)
        board = next((each for each in judgements(samples) if each.detector == BOARD), None)
        page = labelled(samples, "eddyline_loop_threshold_log10", "severity").get("page", 0.0)
        if board is None:
            return Look(seconds, "", 0.0, page)
        return Look(seconds, board.verdict, board.evidence_log10 or 0.0, page)
