"""Many worlds, many seeds, on the cores that there are."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import cast

from streams.loopbench.alarms import Contenders, Watch, joined_watches, no_contenders
from streams.loopbench.campaign import Outcome, joined, play
from streams.loopbench.experiments import EXPERIMENTS
from streams.loopbench.results import BoardRow, experiment_row, row_of
from streams.loopbench.worlds.catalogue import WORLDS

NAMES = (*WORLDS, *EXPERIMENTS)
"""Of all worlds there are."""

BATCH = 20
"""Seeds side by side: arrays large enough for numpy, small enough for a cache."""

Task = tuple[str, Sequence[int]]
Played = Outcome | Mapping[str, Watch]
Map = Callable[[Callable[[Task], Played], Sequence[Task]], Iterable[Played]]


def run_worlds(
    names: Iterable[str],
    seeds: Sequence[int],
    workers: int,
    done: Callable[[str, int], None],
    contenders: Contenders = no_contenders,
) -> Iterator[BoardRow]:
    """The figures of each world over its ``seeds``, in the order of ``names``.

    ``done`` is called with a world and how many more of its seeds are played. How seeds are spread over
    ``workers`` processes changes no figure, but for CPU seconds.

    Raises
    ------
    KeyError
        When there is no world of a name.
    """
    batches = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
    tasks = [(name, batch) for name in names for batch in batches]
    with _mapping(workers) as mapped:
        played = zip(tasks, mapped(partial(_play, contenders=contenders), tasks), strict=True)
        for name, group in groupby(played, key=lambda pair: pair[0][0]):
            outcomes = []
            for (_, batch), outcome in group:
                done(name, len(batch))
                outcomes.append(outcome)
            yield _row(name, outcomes)


def _play(task: Task, contenders: Contenders) -> Played:
    name, seeds = task
    if name in EXPERIMENTS:
        return EXPERIMENTS[name].play(seeds, contenders(name))
    return play(WORLDS[name], seeds, contenders(name))


def _row(name: str, played: Sequence[Played]) -> BoardRow:
    if name in EXPERIMENTS:
        return experiment_row(
            EXPERIMENTS[name], joined_watches(cast("Sequence[Mapping[str, Watch]]", played))
        )
    return row_of(WORLDS[name], joined(cast("Sequence[Outcome]", played)))


@contextmanager
def _mapping(workers: int) -> Iterator[Map]:
    if workers == 1:
        yield map
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield pool.imap
