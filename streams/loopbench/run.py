"""Many worlds, many seeds, on the cores that there are."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby

from streams.loopbench.campaign import Contenders, Outcome, joined, no_contenders, play
from streams.loopbench.worlds.catalogue import WORLDS, WorldSpec

BATCH = 20
"""Seeds side by side: arrays large enough for numpy, small enough for a cache."""

Task = tuple[str, Sequence[int]]
Map = Callable[[Callable[[Task], Outcome], Sequence[Task]], Iterable[Outcome]]


def run_worlds(
    names: Iterable[str],
    seeds: Sequence[int],
    workers: int,
    done: Callable[[str, int], None],
    contenders: Contenders = no_contenders,
) -> Iterator[tuple[WorldSpec, Outcome]]:
    """Each world with what its ``seeds`` showed, in the order of ``names``.

    ``done`` is called with a world and how many more of its seeds are played. How seeds are spread over
    ``workers`` processes changes no figure, but for CPU seconds.

    Raises
    ------
    KeyError
        When there is no world of a name.
    """
    batches = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
    tasks = [(WORLDS[name].name, batch) for name in names for batch in batches]
    with _mapping(workers) as mapped:
        played = zip(tasks, mapped(partial(_play, contenders=contenders), tasks), strict=True)
        for name, group in groupby(played, key=lambda pair: pair[0][0]):
            outcomes = []
            for (_, batch), outcome in group:
                done(name, len(batch))
                outcomes.append(outcome)
            yield WORLDS[name], joined(outcomes)


def _play(task: Task, contenders: Contenders) -> Outcome:
    name, seeds = task
    return play(WORLDS[name], seeds, contenders)


@contextmanager
def _mapping(workers: int) -> Iterator[Map]:
    if workers == 1:
        yield map
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield pool.imap
