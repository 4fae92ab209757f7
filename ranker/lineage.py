"""What flows through the ranker, and from exposures into the next model."""

from collections.abc import Iterator

from feature_store.lineage import USERS, Edge, Kind, Node, feature, model, topic
from feature_store.schema.topics import (
    EXPOSURES,
    FINDINGS,
    ITEMS,
    RANK_REQUESTS,
    RANK_RESPONSES,
    RANK_SERVED,
    SCORE_PANEL,
)
from feature_store.views import FeatureService
from ranker.hydrators.rows import BLOCKED, SEEN, StateRef
from ranker.policies.config import Policy

RANKER_GROUP = "eddyline-ranker"
TRAINED_MODEL = "timeline_ranker"
BUILT_IN_MODELS = ("counters", "reference")
_EXPERIMENTS = Node(Kind.OVERRIDE, "experiments")
TRENDING = StateRef("item", "clicks_1d")
ALLOWED_TRAINING_GAIN = 0.05
"""Long-run gain that learning from what was shown may have on scores."""

_STATE_OF_FILTER = {"seen": SEEN, "blocked_creator": BLOCKED}


def ranker_edges(service: FeatureService, policy: Policy) -> Iterator[Edge]:
    """Columns to models to a policy to answers, and exposures to the model that learns from them."""
    decides = Node(Kind.POLICY, policy.name)
    for name in (TRAINED_MODEL, *BUILT_IN_MODELS):
        yield Edge(Node(Kind.SERVICE, service.name), model(name), by="ranker")
        yield Edge(model(name), decides, by="ranker")
        yield Edge(model(name), topic(SCORE_PANEL), by="panel")
    yield from _policy_edges(policy, decides)
    yield Edge(topic(RANK_REQUESTS), decides, by="ranker", group=RANKER_GROUP)
    yield Edge(decides, topic(RANK_RESPONSES), by="ranker")
    yield Edge(decides, topic(RANK_SERVED), by="ranker")
    yield Edge(decides, USERS, by="ranker", why="timelines over HTTP")
    yield Edge(_EXPERIMENTS, decides, by="ranker", why="nudges, exploration, holdout, deploy times")
    yield Edge(topic(FINDINGS), model(TRAINED_MODEL), by="train", allowed_gain=0.0, why="holds it")
    yield Edge(topic(EXPOSURES), model(TRAINED_MODEL), by="train", allowed_gain=ALLOWED_TRAINING_GAIN)


def _policy_edges(policy: Policy, decides: Node) -> Iterator[Edge]:
    """What decides which items are ranked at all; it cannot move a score."""
    filters = {name for surface in policy.surfaces.values() for name in surface.filters}
    for name, state in _STATE_OF_FILTER.items():
        if name in filters:
            yield Edge(_node(state), decides, by="ranker", allowed_gain=0.0, why=f"filter {name}")
    yield Edge(topic(ITEMS), decides, by="ranker", why="items that can be ranked")
    if any("trending" in surface.sources for surface in policy.surfaces.values()):
        yield Edge(_node(TRENDING), decides, by="ranker", allowed_gain=0.0, why="source trending")


def _node(state: StateRef) -> Node:
    return feature(state.view, state.column)
