"""How good an order was: NDCG@10 with binary gain."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from math import log2, nan

DEPTH = 10


def ndcg(order: Sequence[str], clicked: Set[str]) -> float:
    """NDCG@10 of ``order``: gain 1 for a clicked item; the ideal puts all of ``clicked`` first.

    NaN if nothing was clicked. Järvelin and Kekäläinen, *Cumulated gain-based evaluation of IR
    techniques*, ACM TOIS 20(4), 2002.
    """
    ideal = sum(_discount(position) for position in range(min(DEPTH, len(clicked))))
    found = sum(_discount(position) for position, item in enumerate(order[:DEPTH]) if item in clicked)
    return found / ideal if ideal else nan


def _discount(position: int) -> float:
    return 1 / log2(position + 2)


@dataclass(frozen=True)
class Quality:
    """Mean NDCG@10 of one way to order, over the rankings with a click."""

    ndcg_all: float
    rankings_all: int
    ndcg_last_fifth: float
    rankings_last_fifth: int


def quality(orders: Sequence[Sequence[str]], clicked: Sequence[Set[str]]) -> Quality:
    """Quality of ``orders``, one per ranking in time order, beside what was clicked in each."""
    values = [ndcg(order, clicks) for order, clicks in zip(orders, clicked, strict=True)]
    everything = [value for value in values if value == value]
    late = [value for value in values[len(values) * 4 // 5 :] if value == value]
    return Quality(_mean(everything), len(everything), _mean(late), len(late))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else nan
