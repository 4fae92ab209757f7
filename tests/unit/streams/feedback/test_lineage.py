"""D0: loops of a declared graph, undeclared consumers, the share of labels that a model caused."""

from itertools import permutations
from math import log

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.lineage import USERS, Edge, Kind, Lineage, Node, feature, model, topic
from feature_store.schema.exposures import EXPOSURE_FIELDS
from streams.feedback.base import VerdictKind
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.lineage import Loop, by_view, loops, model_outputs, undeclared_consumers
from streams.feedback.lineage_self_training import label_causes, self_training
from streams.feedback.lineage_verdicts import MOST_SUSPECTS, OTHERS, fused, hidden, suspects

SERVICE = Node(Kind.SERVICE, "s")
LINEAGE = Lineage.of(
    [
        Edge(USERS, topic("events"), by="producers"),
        Edge(topic("events"), feature("item", "ctr"), by="features", group="features"),
        Edge(topic("events"), feature("item", "age"), by="features", group="features"),
        Edge(feature("item", "ctr"), SERVICE, by="ranker", allowed_gain=0.05),
        Edge(feature("item", "age"), SERVICE, by="ranker", allowed_gain=0.01),
        Edge(SERVICE, model("m"), by="ranker"),
        Edge(model("m"), topic("answers"), by="ranker"),
        Edge(topic("answers"), USERS, by="web"),
        Edge(topic("answers"), topic("archive"), by="keeper", group="keeper"),
        Edge(topic("events"), Node(Kind.SYSTEM, "warehouse"), by="x", group="warehouse"),
    ]
)


def test_a_loop_through_features_is_one_loop_through_their_view_at_the_strictest_gain() -> None:
    (loop,) = loops(LINEAGE)
    assert set(map(str, loop.nodes)) == {
        "people:users",
        "topic:events",
        "view:item",
        "service:s",
        "model:m",
        "topic:answers",
    }
    assert loop.allowed_gain == 0.01


def test_a_loop_that_nobody_allowed_comes_first() -> None:
    override = Node(Kind.OVERRIDE, "boost")
    more = Lineage.of(
        LINEAGE.edges,
        [Edge(topic("answers"), override, by="editor"), Edge(override, model("m"), by="ranker")],
    )
    first, second = loops(more)
    assert (first.allowed, second.allowed) == (False, True)
    assert override in first.nodes


@given(
    st.sets(
        st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda pair: pair[0] != pair[1]), max_size=12
    )
)
def test_loops_are_those_of_a_naive_search(pairs: set[tuple[int, int]]) -> None:
    lineage = Lineage.of(Edge(topic(str(a)), topic(str(b)), by="x") for a, b in pairs)
    naive = {
        nodes
        for n in range(2, 6)
        for nodes in permutations(range(5), n)
        if nodes[0] == min(nodes)
        and all(pair in pairs for pair in zip(nodes, (*nodes[1:], nodes[0]), strict=True))
    }
    found = [tuple(int(node.name) for node in loop.nodes) for loop in loops(lineage)]
    assert len(found) == len(set(found))
    assert set(found) == naive


def test_output_of_a_model_ends_at_people() -> None:
    assert model_outputs(LINEAGE) == {"answers": ("m",), "archive": ("m",)}


def test_readers_of_other_topics_and_declared_readers_are_no_news() -> None:
    assert (
        undeclared_consumers(LINEAGE, {"features": ["events"], "keeper": ["answers"], "new": ["events"]})
        == []
    )


def test_a_stranger_that_reads_answers_is_found_and_what_it_writes_is_unknown() -> None:
    (found,) = undeclared_consumers(LINEAGE, {"mailer": ["answers", "events"]})
    assert (found.group, found.topic, found.models, found.closes_loop) == ("mailer", "answers", ("m",), None)


def test_a_known_group_that_reads_answers_besides_closes_a_loop() -> None:
    (found,) = undeclared_consumers(LINEAGE, {"features": ["events", "answers"]})
    assert found.closes_loop is True
    assert set(found.writes) == {feature("item", "ctr"), feature("item", "age")}
    (harmless,) = undeclared_consumers(LINEAGE, {"warehouse": ["answers", "events"]})
    assert harmless.closes_loop is False


@pytest.mark.parametrize(
    ("groups", "kind"),
    [
        ({"keeper": ["answers"]}, VerdictKind.QUIET),
        ({"warehouse": ["answers"]}, VerdictKind.QUIET),
        ({"mailer": ["answers"]}, VerdictKind.WARNING),
        ({"features": ["answers"]}, VerdictKind.LOOP_DETECTED),
        ({"features": ["answers"], "mailer": ["answers"]}, VerdictKind.LOOP_DETECTED),
    ],
)
def test_the_verdict_on_all_is_the_worst_of_any(groups: dict[str, list[str]], kind: VerdictKind) -> None:
    found = suspects(LINEAGE, groups, 5)
    assert fused(found, 5).kind is kind
    assert set(found) == {f"{name} reads answers" for name in groups if name not in {"keeper", "warehouse"}}
    assert all(verdict.statistic >= log(verdict.page) for verdict in found.values())


def test_a_declared_loop_that_nobody_allowed_is_a_warning_of_its_own() -> None:
    more = [Edge(topic("answers"), topic("echo"), by="x"), Edge(topic("echo"), model("m"), by="x")]
    found = suspects(Lineage.of(LINEAGE.edges, more), {}, 5)
    ((subject, verdict),) = found.items()
    assert (subject, verdict.kind) == ("model:m -> topic:answers -> topic:echo", VerdictKind.WARNING)
    assert verdict.evidence["loop"] == subject


def test_of_very_many_the_worst_are_named_and_the_rest_is_one() -> None:
    groups = {f"mailer-{n}": ["answers"] for n in range(3 * MOST_SUSPECTS)} | {"features": ["answers"]}
    found = suspects(LINEAGE, groups, 5)
    assert len(found) == MOST_SUSPECTS + 1
    assert next(iter(found)) == "features reads answers"
    assert found[OTHERS].evidence["value"] == f"{2 * MOST_SUSPECTS + 1} more that nobody declared"
    assert found[OTHERS].kind is VerdictKind.WARNING


def test_a_broker_that_shows_no_declared_group_hides_them() -> None:
    assert hidden(LINEAGE, {})
    assert hidden(LINEAGE, {"keeper": ["events"], "mailer": ["answers"]})
    assert not hidden(LINEAGE, {"keeper": ["events", "answers"]})


def test_views_keep_what_their_strictest_feature_allows() -> None:
    gains = {edge.allowed_gain for edge in by_view(LINEAGE).edges if edge.source.kind is Kind.VIEW}
    assert gains == {0.01}


def test_a_loop_without_a_stated_gain_is_not_allowed() -> None:
    assert not Loop((topic("a"),), None).allowed
    assert Loop((topic("a"),), 0.0).allowed


def exposures(*rows: tuple[str | None, int | None, str | None, list[tuple[str, str]] | None]) -> pa.Table:
    """Rows of (request, position seen, model version, assignments), as exposures have them."""
    types = {field.name: field.type for field in EXPOSURE_FIELDS}
    columns = ["request_id", "position_seen", "model_version", "assignments"]
    plain = [dict(zip(columns, row, strict=True)) for row in rows]
    for row in plain:
        row["position"] = row["position_seen"]
        row["assignments"] = row["assignments"] and [
            {"experiment": experiment, "variant": variant, "propensity": 0.1}
            for experiment, variant in row["assignments"]
        ]
    return pa.Table.from_pylist(plain, schema=pa.schema([(n, types[n]) for n in (*columns, "position")]))


def test_labels_that_the_model_did_not_cause_are_of_others_of_chance_or_organic() -> None:
    labels = exposures(
        ("r1", 0, "m:3", []),
        ("r1", 1, "m:3", [("exploration", "slot_1"), ("nudges", "s/1")]),
        ("r1", 2, "m:3", [("nudges", "s/1"), ("exploration", "slot_1")]),
        ("r1", 3, "m:2", [("holdout", "holdout")]),
        ("r1", 4, "m:3", [("holdout", "treatment"), ("exploration", "none")]),
        ("r2", 0, "m2:1", []),
        ("r2", 1, None, None),
        ("r3", None, "m:3", []),
        (None, 4, None, None),
    )
    found = self_training(labels, "m")
    assert (found.labels, found.caused) == (7, 3)
    everything = np.ones(len(labels), np.bool_)
    assert label_causes(ExposureRows(labels), everything) == {
        "m": 3,
        "exploration": 1,
        "holdout": 1,
        "m2": 1,
        "unknown": 1,
    }


def test_no_labels_have_no_share() -> None:
    assert self_training(exposures(("r", None, "m:1", [])), "m").share is None
