"""What every demo does in front of its audience: watch traffic, train, swap the model in."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel

from eddyline.clients.dropped import DeadLetterWatch
from eddyline.clients.ranking import RankClient
from eddyline.clients.running import RunningStack
from eddyline.demo import screens
from eddyline.demo.tally import Tally
from eddyline.demo.traffic import Traffic
from eddyline.demo.training import Training, TrainingFailed
from eddyline.replay.barrier import Drained, KafkaOffsets
from feature_store.catalog import load_catalog
from feature_store.clock import Clock
from feature_store.online import online_store
from streams.ingest.settings import IngestSettings

_REDRAW_S = 0.25
_SWAP_WITHIN_S = 30.0


class Stage:
    """A running stack under traffic, and a terminal that shows it.

    Attributes
    ----------
    ranker : the door for rank requests
    tally : counts the traffic
    dead_letters : what was refused since the stage was set
    drained : whether rows cover all events
    """

    def __init__(
        self,
        stack: RunningStack,
        console: Console,
        clock: Clock,
        *,
        ranker: RankClient,
        dead_letters: DeadLetterWatch,
        drained: Drained,
    ) -> None:
        self.ranker = ranker
        self.dead_letters = dead_letters
        self.drained = drained
        self.tally = Tally()
        self.stack = stack
        self.console = console
        self.clock = clock
        self._began_ns = clock.monotonic_ns()

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, highlight=False)

    def watch(
        self,
        phase: str,
        traffic: Traffic,
        done: Callable[[], bool],
        more: Callable[[], Sequence[tuple[str, str]]] = tuple,
    ) -> None:
        """Show the state of things, and what ``more()`` says, until ``done()``.

        Raises
        ------
        Exception
            What ended the traffic, if anything did.
        """
        with Live(console=self.console, auto_refresh=False) as display:
            while not done():
                traffic.check()
                self.dead_letters.look(0.0)
                display.update(self._panel(phase, more()), refresh=True)
                time.sleep(_REDRAW_S)
        if not self.console.is_terminal:
            self.console.print()

    def say_outcome(self) -> None:
        """Print how the requests of the traffic fared."""
        tally = self.tally
        lacked = "".join(f", {note} {number}" for note, number in sorted(tally.degraded.items()))
        self.say(f"{tally.requests:,} requests, {tally.failed} failed; degraded: {lacked[2:] or 'none'}")
        for problem, number in tally.problems.items():
            self.say(escape(f"failed {number} times: {problem}"))

    def for_seconds(self, seconds: float) -> Callable[[], bool]:
        """Whether ``seconds`` have passed since this call."""
        end_ns = self.clock.monotonic_ns() + int(seconds * 1e9)
        return lambda: self.clock.monotonic_ns() >= end_ns

    def for_requests(self, number: int) -> Callable[[], bool]:
        """Whether the traffic has made ``number`` requests since this call."""
        end = self.tally.requests + number
        return lambda: self.tally.requests >= end

    @contextmanager
    def training(self, after_requests: int = 0) -> Iterator[Training]:
        """A training that waits for exposures of ``after_requests``; it ends with the block at the latest."""
        log = self.stack.settings.home / "logs" / "train.log"
        training = Training(self.stack, after_requests, self.console.width, log)
        try:
            yield training
        finally:
            training.stop()

    def swap(self, training: Training, traffic: Traffic) -> None:
        """Keep traffic running until the training is over and answers come from the new model.

        Raises
        ------
        TrainingFailed
            When there is no new model, or the ranker does not take it over within 30 s.
        """
        before = self.tally.serving
        self.watch("a model learns, requests keep coming", traffic, training.done)
        self.console.out(training.output(), highlight=False)
        late = self.for_seconds(_SWAP_WITHIN_S)

        def swapped() -> bool:
            return self.tally.serving != before

        self.watch("the ranker takes the model over", traffic, lambda: swapped() or late())
        if not swapped():
            raise TrainingFailed(f"the ranker still answers with {before}")

    def _panel(self, phase: str, more: Sequence[tuple[str, str]]) -> Panel:
        seconds = (self.clock.monotonic_ns() - self._began_ns) / 1e9
        refused = sum(self.dead_letters.by_reason.values())
        return screens.live(phase, seconds, self.tally, self.drained.lag(), refused, more)


@contextmanager
def stage(stack: RunningStack, console: Console, clock: Clock) -> Iterator[Stage]:
    """A stage for ``stack``; its connections are closed at the end."""
    settings = stack.settings
    with (
        closing(KafkaOffsets(settings, IngestSettings().ingest_group)) as offsets,
        closing(DeadLetterWatch(settings)) as dead_letters,
        closing(RankClient(stack.addresses.http)) as ranker,
    ):
        drained = Drained(offsets, online_store(settings), load_catalog())
        yield Stage(stack, console, clock, ranker=ranker, dead_letters=dead_letters, drained=drained)
