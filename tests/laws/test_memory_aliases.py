"""Aliases in memory obey the laws."""

import pytest

from ranker.registry.aliases import Aliases, MemoryAliases
from tests.laws.alias_laws import AliasLaws


class TestMemoryAliases(AliasLaws):
    @pytest.fixture
    def aliases(self) -> Aliases:
        return MemoryAliases()
