"""The laws of aliases, which every implementation is held to."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ranker.registry.aliases import AliasChange, Aliases
from ranker.registry.models import AliasConflict, ModelId

FIRST, SECOND = "timeline_ranker/1", "timeline_ranker/2"


def change(model: str, previous: str | None, alias: str = "champion") -> AliasChange:
    return AliasChange(alias, model, previous, f"{model} is better", 1_700_000_000_000)


class AliasLaws:
    """Subclass it with a fixture ``aliases`` in which nothing was ever set."""

    def test_an_alias_that_was_never_set_points_to_nothing(self, aliases: Aliases) -> None:
        assert aliases.get("champion") is None
        assert aliases.history() == []

    def test_an_alias_points_to_what_it_was_set_to(self, aliases: Aliases) -> None:
        aliases.compare_and_set(change(FIRST, None))
        aliases.compare_and_set(change(SECOND, FIRST))
        assert aliases.get("champion") == ModelId("timeline_ranker", "2")
        assert aliases.get("rollback") is None

    def test_the_history_tells_every_change_and_why_newest_first(self, aliases: Aliases) -> None:
        changes = [change(FIRST, None), change(FIRST, None, "rollback"), change(SECOND, FIRST)]
        for one in changes:
            aliases.compare_and_set(one)
        assert aliases.history() == changes[::-1]

    @pytest.mark.parametrize("expected", [None, SECOND])
    def test_a_wrong_expectation_changes_nothing(self, aliases: Aliases, expected: str | None) -> None:
        aliases.compare_and_set(change(FIRST, None))
        with pytest.raises(AliasConflict, match=f"champion points to {FIRST}"):
            aliases.compare_and_set(change(SECOND, expected))
        assert str(aliases.get("champion")) == FIRST
        assert len(aliases.history()) == 1

    def test_changes_made_together_are_all_made(self, aliases: Aliases) -> None:
        changes = [change(SECOND, None), change(FIRST, None, "rollback")]
        aliases.compare_and_set(*changes)
        assert (str(aliases.get("champion")), str(aliases.get("rollback"))) == (SECOND, FIRST)
        assert aliases.history() == changes[::-1]

    def test_of_changes_made_together_one_wrong_expectation_stops_all(self, aliases: Aliases) -> None:
        aliases.compare_and_set(change(FIRST, None))
        with pytest.raises(AliasConflict, match="rollback points to nothing, not to timeline_ranker/2"):
            aliases.compare_and_set(change(SECOND, FIRST), change(FIRST, SECOND, "rollback"))
        assert str(aliases.get("champion")) == FIRST
        assert aliases.get("rollback") is None
        assert len(aliases.history()) == 1

    def test_of_many_rivals_one_wins(self, aliases: Aliases) -> None:
        def wins(version: int) -> bool:
            try:
                aliases.compare_and_set(change(f"timeline_ranker/{version}", None))
            except AliasConflict:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = [version for version, win in zip(range(8), pool.map(wins, range(8)), strict=True) if win]
        assert [f"timeline_ranker/{version}" for version in won] == [str(aliases.get("champion"))]
        assert len(aliases.history()) == 1
