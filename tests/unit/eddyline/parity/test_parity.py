"""Features that were served are folded again from the log to the same bits, or it is said which are not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eddyline.parity.cases import ServedCase
from eddyline.parity.check import ParityCheck, RetentionCutError
from eddyline.parity.chosen import NamedEntities, SampledEntities
from eddyline.parity.judge import Verdict
from feature_store.schema.batches import decode_entity_batch, encode_entity_batch
from feature_store.schema.topics import RANK_SERVED
from feature_store.topic_log import Bounds
from tests.simulation.small_deployment import MemoryLog, SmallDeployment
from tests.unit.ranker.world import PARTITIONS, SERVICE


def deployment(seed: int = 1) -> SmallDeployment:
    """Events and requests, taking turns."""
    made = SmallDeployment(seed)
    for _ in range(4):
        made.publish(40)
        made.rank(3)
    return made


def check_of(
    made: SmallDeployment,
    chosen: NamedEntities | SampledEntities,
    skipped: Callable[[str], frozenset[tuple[int, int]]] = lambda topic: frozenset(),
) -> ParityCheck:
    return ParityCheck(made.catalog, SERVICE, made.world.items, PARTITIONS, chosen, skipped)


def cases(made: SmallDeployment, check: ParityCheck) -> list[ServedCase]:
    served = made.log.read(RANK_SERVED, made.log.bounds(RANK_SERVED))
    return [case for _, _, payload in served for case in check.cases(payload)]


def rows(made: SmallDeployment) -> int:
    return sum(len(case.item_ids) for case in cases(made, check_of(made, NamedEntities())))


def same(case: ServedCase) -> ServedCase:
    return case


def verdicts(made: SmallDeployment, alter: Callable[[ServedCase], ServedCase] = same) -> list[Verdict]:
    chosen = NamedEntities()
    check = check_of(made, chosen)
    for case in cases(made, check):
        for entity, entity_ids in check.take_in(alter(case)):
            chosen.add(entity, entity_ids)
    check.fold(made.log, check.ends(made.log))
    return list(check.judge(all_of_them=True))


def counts(found: list[Verdict]) -> tuple[int, int, int]:
    return (
        sum(one.equal for one in found),
        sum(one.different for one in found),
        sum(one.unverified for one in found),
    )


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000))
def test_every_served_row_is_folded_again_to_the_same_bits(seed: int) -> None:
    made = deployment(seed)
    assert counts(verdicts(made)) == (rows(made), 0, 0)
    assert rows(made) > 0


def test_a_feature_that_was_served_wrong_by_one_bit_is_named_with_the_batch_its_row_is_from() -> None:
    place = SERVICE.user.index("user.impressions_1d")

    def off_by_a_bit(case: ServedCase) -> ServedCase:
        features = case.features.copy()
        features[0, place] = np.nextafter(features[0, place], np.float32(np.inf))
        return replace(case, features=features)

    made = deployment()
    found = verdicts(made, off_by_a_bit)
    differences = [difference for verdict in found for difference in verdict.differences]
    assert counts(found) == (rows(made) - len(found), len(found), 0)
    assert {difference.feature for difference in differences} == {"user.impressions_1d"}
    assert all(one.served != one.refolded for one in differences)
    assert all(row.startswith("batches.user[") and "@" in row for one in differences for row in one.rows)


def test_a_recent_id_that_was_served_wrong_is_named_with_the_batch_its_row_is_from() -> None:
    place = SERVICE.id_columns.index("clicked[1]")

    def another(case: ServedCase) -> ServedCase:
        ids = case.ids.copy()
        ids[0, place] += 1
        return replace(case, ids=ids)

    made = deployment()
    found = verdicts(made, another)
    differences = [difference for verdict in found for difference in verdict.differences]
    assert counts(found) == (rows(made) - len(found), len(found), 0)
    assert {difference.feature for difference in differences} == {"clicked[1]"}
    assert all(one.served == one.refolded + 1 for one in differences)
    assert any("@" in row for one in differences for row in one.rows)


def test_a_batch_that_is_not_what_was_folded_makes_the_features_of_its_entities_differ() -> None:
    made = deployment()
    batches = made.log.partitions["batches.user", 0]
    batch = decode_entity_batch(batches[0])
    batches[0] = encode_entity_batch(replace(batch, event_time_ms=batch.event_time_ms - 3_600_000))
    found = verdicts(made)
    differences = [difference for verdict in found for difference in verdict.differences]
    assert {difference.feature.split(".")[0] for difference in differences} == {"user"}
    assert all("batches.user[0]@" in row for one in differences for row in one.rows)


def test_rows_read_as_if_from_another_batch_are_not_taken_for_verified() -> None:
    def later(case: ServedCase) -> ServedCase:
        offsets = case.marks.row_offset
        marks = replace(case.marks, row_offset=np.where(offsets < 0, -1, offsets + 100))
        return replace(case, marks=marks)

    found = verdicts(deployment(), later)
    assert counts(found)[0] == 0
    reasons = {missing.reason for verdict in found for missing in verdict.missing}
    assert reasons == {"the log has no such batch yet"}


def test_a_batch_that_the_workers_were_told_to_skip_is_skipped_here_too() -> None:
    made = deployment()
    for (topic, _), batches in made.log.partitions.items():
        if topic != RANK_SERVED:
            batches.append(b"no batch at all")

    def last_batches(topic: str) -> frozenset[tuple[int, int]]:
        return frozenset((at, end - 1) for at, (_, end) in made.log.bounds(topic).items())

    check = check_of(made, SampledEntities(1.0), last_batches)
    for case in cases(made, check):
        check.take_in(case)
    ends = check.ends(made.log)
    check.fold(made.log, ends)
    assert counts(list(check.judge(all_of_them=True)))[1:] == (0, 0)


class CutLog(MemoryLog):
    """A log whose first batches are gone."""

    def bounds(self, topic: str) -> Bounds:
        return {at: (min(1, end), end) for at, (_, end) in super().bounds(topic).items()}


def test_a_log_without_its_beginning_is_refused_by_name() -> None:
    made = deployment()
    cut = CutLog()
    cut.partitions = made.log.partitions
    check = check_of(made, SampledEntities(1.0))
    with pytest.raises(
        RetentionCutError, match=r"batches\.[a-z-]+\[\d\] begins at offset 1: what came before"
    ):
        check.fold(cut, check.ends(cut))


def test_a_case_waits_until_the_log_has_been_folded_past_its_rows() -> None:
    made = deployment()
    check = check_of(made, SampledEntities(1.0))
    taken = cases(made, check)
    check.fold(made.log, dict.fromkeys(check.ends(made.log), 0))
    for case in taken:
        check.take_in(case)
    assert list(check.judge(all_of_them=False)) == []
    check.fold(made.log, check.ends(made.log))
    assert counts(list(check.judge(all_of_them=False))) == (rows(made), 0, 0)
    assert list(check.judge(all_of_them=True)) == []


def test_a_sample_judges_a_part_of_the_features_and_finds_them_equal() -> None:
    made = deployment()
    half = check_of(made, SampledEntities(0.5))
    for case in cases(made, half):
        half.take_in(case)
    half.fold(made.log, half.ends(made.log))
    equal, different, unverified = counts(list(half.judge(all_of_them=True)))
    assert 0 < equal <= rows(made)
    assert (different, unverified) == (0, 0)


def test_a_sample_is_always_the_same_share_and_keeps_a_users_combinations_together() -> None:
    ids = [f"u{n}" for n in range(4_000)]
    third = SampledEntities(1 / 3)
    mask = third("user", ids)
    assert 0.3 < mask.mean() < 0.37
    assert (third("user|creator", [f"{user}|c1" for user in ids]) == mask).all()
    assert SampledEntities(1.0)("user", ids).all() and not SampledEntities(0.0)("user", ids).any()


def test_requests_of_another_feature_service_are_left_alone() -> None:
    made = deployment()
    other = replace(SERVICE, fingerprint="0" * 12)
    check = ParityCheck(
        made.catalog, other, made.world.items, PARTITIONS, SampledEntities(1.0), lambda topic: frozenset()
    )
    assert cases(made, check) == []
