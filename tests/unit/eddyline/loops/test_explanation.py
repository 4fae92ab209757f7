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


OF_SLICES = structs.replace(
    ECHO,
    detector="board",
    subject="timeline_ranker",
    evidence={
        "found_by": "feature_path",
        "subject": "country=DE",
        "value": "user|genres.ctr_1d",
        "lag_epochs": 1,
        "subjects": ["country=DE", "country=NL"],
        "betas": {"country=DE": 0.41, "country=NL": 0.2},
        "epochs_used": {"country=NL": 30, "country=DE": 30, "country=other": 30},
        "others": {},
    },
)


def test_slices_of_users_are_told_with_what_each_of_them_answers() -> None:
    lines = explanation(FindingState(OF_SLICES, None))
    place = lines.index("  slices     country=DE, β 0.410")
    assert lines[place + 1 : place + 3] == (
        "             country=NL, β 0.200",
        "             not seen in country=other",
    )


def test_where_no_slice_is_certain_the_likeliest_is_said() -> None:
    evidence = {**OF_SLICES.evidence, "subjects": [], "betas": {}}
    lines = explanation(FindingState(structs.replace(OF_SLICES, evidence=evidence), None))
    assert "  slices     none is certain yet; most evidence is in country=DE" in lines


def test_sizes_found_by_large_nudges_are_said_to_be_too_small() -> None:
    said = "nudges are large, 0.72 standard deviations of the scores: small ones add more per unit"
    for large in (True, False):
        evidence = {**OF_SLICES.evidence, "nudge_share": 0.72, "nudges_large": large}
        lines = explanation(FindingState(structs.replace(OF_SLICES, evidence=evidence), None))
        assert (f"{'':13}{said}" in lines) is large


def test_without_slices_nothing_is_said_of_them() -> None:
    evidence = {name: value for name, value in OF_SLICES.evidence.items() if name != "betas"}
    lines = explanation(FindingState(structs.replace(OF_SLICES, evidence=evidence), None))
    assert not [line for line in lines if "slices" in line]


def of_lineage(**evidence: object) -> tuple[str, ...]:
    found = structs.replace(ECHO, detector="D0", verdict="warning", beta=None, evidence=evidence)
    return explanation(FindingState(found, None))


def test_an_undeclared_consumer_is_told_without_odds() -> None:
    lines = of_lineage(group="mailer", topic="rank.responses", models=["a", "b"], writes=[], closes_loop=None)
    assert lines[1:3] == (
        "  evidence   certain: the broker lists group mailer, and no declaration lets it read rank.responses",
        "  where      rank.responses carries what a, b decided; what the group writes: nobody declared",
    )
    assert not any("lives of a detector" in line for line in lines)


def test_a_declared_loop_that_nobody_allowed_is_told_by_its_path() -> None:
    assert of_lineage(loop="a -> b", value="nobody decided")[1] == "  where      a -> b: nobody decided"
    assert of_lineage(value="7 more")[1] == "  where      eddyline lineage lists them: 7 more"
