"""What a ranker needs only to begin does not make it unready later."""

from ranker.service.wiring import until_well


def test_a_problem_counts_until_there_was_none_for_once() -> None:
    found = iter(["no model answers", None, "Triton is gone"])
    probe = until_well(lambda: next(found))
    assert [probe() for _ in range(4)] == ["no model answers", None, None, None]
