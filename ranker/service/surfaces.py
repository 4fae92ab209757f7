"""The stages of every surface, from the policy file."""

from collections.abc import Mapping

from ranker.filters.blocked_creator import BlockedCreator
from ranker.filters.expired import Expired
from ranker.filters.seen import Seen
from ranker.filters.unknown_item import UnknownItem
from ranker.pipeline.components import Filter, Source, Surface
from ranker.pipeline.items import ItemColumns
from ranker.policies.config import FilterName, Policy, SourceName, SurfacePolicy
from ranker.policies.value_model import ValueModel
from ranker.selectors.by_score import ByScore
from ranker.selectors.exploring import Exploring


def surfaces(policy: Policy, items: ItemColumns, sources: Mapping[SourceName, Source]) -> dict[str, Surface]:
    """surface -> its stages, for every surface that the policy names."""
    filters: dict[FilterName, Filter] = {
        "seen": Seen(),
        "expired": Expired(items),
        "blocked_creator": BlockedCreator(),
        "unknown_item": UnknownItem(),
    }
    value = ValueModel(policy.value)

    def stages(wanted: SurfacePolicy) -> Surface:
        return Surface(
            policy=policy.id,
            sources=tuple(sources[name] for name in wanted.sources),
            filters=tuple(filters[name] for name in wanted.filters),
            value=value,
            selector=Exploring(ByScore(wanted.most_per_creator, wanted.window)),
        )

    return {name: stages(wanted) for name, wanted in policy.surfaces.items()}
