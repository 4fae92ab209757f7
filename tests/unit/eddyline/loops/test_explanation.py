"""Findings in words: what on-call reads first."""

from msgspec import structs

from eddyline.commands.loops._explanation import explanation
from feature_store.schema.findings import Beta, Finding, FindingState

ECHO = Finding(
    finding_id="loop-1",
    detector="D5",
    subject="exposures",
    verdict="loop_detected",
    statistic=7.2,
    threshold=6.9,
    beta=Beta(0.12, 0.1, 0.14),
    gain=None,
    evidence={"retrains": 12, "not_followed": 1, "last_deployed": "timeline_ranker:4"},
    opened_time_ms=0,
    updated_time_ms=0,
    runbook="docs/runbooks/loop-detected.md",
)


def test_an_echo_of_deploys_is_told_by_its_deploys_and_its_size() -> None:
    lines = explanation(FindingState(ECHO, None))
    where = "  where      12 deploys, of which 1 did not follow their draw; the last was timeline_ranker:4"
    assert where in lines
    assert "  size       0.120 (0.100 to 0.140)" in lines


def test_edges_between_models_are_told_one_by_one() -> None:
    evidence = {
        "value": "related -> feed",
        "edges": [
            {"from": "feed", "to": "related", "beta": 0.21},
            {"from": "related", "to": "feed", "beta": -0.4},
        ],
        "cycle": True,
    }
    found = structs.replace(ECHO, detector="cross_model", subject="feed + related", evidence=evidence)
    lines = explanation(FindingState(found, None))
    assert "  where      scores of one model answer to nudges of another; they close a cycle:" in lines
    assert "             feed -> related, β 0.210" in lines
    assert "             related -> feed, β -0.400" in lines
