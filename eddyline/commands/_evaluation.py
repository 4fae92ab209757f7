"""How an evaluation and what the gate found are shown."""

from collections.abc import Sequence

from rich.table import Table

from ranker.registry.models import Check
from ranker.training.evaluation import BOOSTED, NEW_MODEL, Evaluation, Result, Slice

_SLICES = (
    "NDCG@10 by slice; below LightGBM's and the champion's, how much better the new model is (95 %, paired)"
)


def quality_table(evaluation: Evaluation) -> Table:
    """Every ranker over all test requests, each with its 95 % bootstrap interval, paired for differences."""
    title = f"{evaluation.clicked_requests} requests with a click, later than all training data"
    table = Table("ranker", "NDCG@10", "95 % interval", "new model is better by", title=title)
    for result in evaluation.results:
        ahead = f"{result.behind:+.4f}  ({result.behind_low:+.4f} to {result.behind_high:+.4f})"
        table.add_row(
            result.ranker,
            f"{result.ndcg_at_10:.4f}",
            f"{result.low:.4f} to {result.high:.4f}",
            "" if result.ranker == NEW_MODEL else ahead,
        )
    return table


def slices_table(evaluation: Evaluation) -> Table:
    """NDCG@10 of every ranker over every slice; beside learned ones the new model's lead, paired."""
    rankers = [result.ranker for result in evaluation.results]
    table = Table("rankings of", "requests", *rankers, title=_SLICES)
    for part in evaluation.slices:
        table.add_row(part.name, str(part.clicked_requests), *_values(part, rankers))
    return table


def checks_table(checks: Sequence[Check]) -> Table:
    """What the gate asked, and the figures."""
    table = Table("gate", "", "figures")
    for check in checks:
        table.add_row(check.name, "passed" if check.passed else "[red]FAILED[/]", check.figures)
    return table


def _values(part: Slice, rankers: Sequence[str]) -> list[str]:
    return [_value(part[ranker]) for ranker in rankers]


def _value(result: Result) -> str:
    told = f"{result.ndcg_at_10:.4f}"
    if result.ranker == BOOSTED or result.ranker.startswith("champion"):
        told += f"\n{result.behind:+.4f} ({result.behind_low:+.4f} to {result.behind_high:+.4f})"
    return told
