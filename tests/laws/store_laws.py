"""The laws of an online store, which every implementation is held to."""

import os

import pytest

from feature_store.online import Checkpoint, OnlineStore, RolledBack, RowKey, RowsOf, Run, StaleOwner

VIEW, PARTITION = "0123456789ab", 2
CHECKPOINT = Checkpoint(7, {0: 41, 3: 9}, "topic-id", 4)


def key(entity_id: str, partition: int = PARTITION) -> RowKey:
    return RowKey(partition, VIEW, entity_id)


class OnlineStoreLaws:
    """Subclass it with a fixture ``store`` that gives an empty store."""

    def test_what_was_written_is_read_in_the_order_asked(self, store: OnlineStore) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        rows = [(f"u{n}", os.urandom(24)) for n in range(256)]
        store.put_rows(VIEW, PARTITION, epoch, 1, rows)
        asked = [rows[9], rows[200], rows[0]]
        found = store.multi_get([key(rows[9][0]), key("nobody"), key(rows[200][0]), key(rows[0][0])])
        assert found == [asked[0][1], None, asked[1][1], asked[2][1]]

    def test_a_read_spans_views_and_partitions(self, store: OnlineStore) -> None:
        for partition in (0, 1, 2, 3):
            epoch = store.claim(VIEW, partition).epoch
            store.put_rows(VIEW, partition, epoch, 1, [(f"i{partition}", bytes([partition]))])
        wanted = [
            RowsOf(VIEW, ["i3", "i0", "i9"], [3, 0, 1]),
            RowsOf("another-view", ["i3"], 3),
            RowsOf(VIEW, ["i2"], 2),
            RowsOf(VIEW, [], []),
        ]
        assert store.read(wanted) == [[b"\x03", b"\x00", None], [None], [b"\x02"], []]

    def test_several_questions_are_answered_in_turn(self, store: OnlineStore) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        store.put_rows(VIEW, PARTITION, epoch, 1, [("u", b"1"), ("v", b"2")])
        with store.asking() as ask:
            first = ask([RowsOf(VIEW, ["u", "nobody"], PARTITION)])
            nothing = ask([RowsOf(VIEW, [], PARTITION)])
            second = ask([RowsOf(VIEW, ["v"], PARTITION), RowsOf("another-view", ["u"], PARTITION)])
            assert first() == [[b"1", None]]
            assert nothing() == [[]]
            assert second() == [[b"2"], [None]]

    def test_an_answer_that_nobody_waits_for_meets_no_later_question(self, store: OnlineStore) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        store.put_rows(VIEW, PARTITION, epoch, 1, [("u", b"1"), ("v", b"2")])
        with store.asking() as ask:
            ask([RowsOf(VIEW, ["u"], PARTITION)])
        with pytest.raises(LookupError), store.asking() as ask:
            ask([RowsOf(VIEW, ["u"], PARTITION)])
            raise LookupError
        assert store.read([RowsOf(VIEW, ["v"], PARTITION)]) == [[b"2"]]

    def test_a_caller_without_time_left_gets_no_answer_and_spoils_none(self, store: OnlineStore) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        store.put_rows(VIEW, PARTITION, epoch, 1, [("u", b"1")])
        wanted = [RowsOf(VIEW, ["u"], PARTITION)]
        with pytest.raises(TimeoutError, match="no time left"), store.asking(lambda: 0.0) as ask:
            ask(wanted)
        left_ms = [10_000.0]
        with pytest.raises(TimeoutError, match="no time left"), store.asking(lambda: left_ms[0]) as ask:
            assert ask(wanted)() == [[b"1"]]
            left_ms[0] = 0.0
            ask(wanted)()
        with store.asking(lambda: 10_000.0) as ask:
            assert ask(wanted)() == [[b"1"]]

    def test_the_same_write_twice_changes_nothing(self, store: OnlineStore) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        store.put_rows(VIEW, PARTITION, epoch, 1, [("u", b"first")])
        store.put_rows(VIEW, PARTITION, epoch, 1, [("u", b"again")])
        assert store.multi_get([key("u")]) == [b"first"]

    def test_a_stale_owner_writes_nothing(self, store: OnlineStore) -> None:
        old = store.claim(VIEW, PARTITION).epoch
        store.put_rows(VIEW, PARTITION, old, 1, [("u", b"old")])
        new = store.claim(VIEW, PARTITION).epoch
        for write in (
            lambda: store.put_rows(VIEW, PARTITION, old, 2, [("u", b"stale")]),
            lambda: store.put_rows(VIEW, PARTITION, old, 1, [("u", b"stale")], 60),
            lambda: store.put_checkpoint(VIEW, PARTITION, old, 2, CHECKPOINT),
            lambda: store.put_runs([Run(VIEW, PARTITION, old, 2, [[("u", b"stale")]], CHECKPOINT)]),
        ):
            with pytest.raises(StaleOwner):
                write()
        assert store.multi_get([key("u")]) == [b"old"]
        assert store.load_checkpoints(VIEW, [PARTITION]) == [None]
        store.put_rows(VIEW, PARTITION, new, 1, [("u", b"new")])
        assert store.multi_get([key("u")]) == [b"new"]

    def test_owners_of_other_partitions_and_views_do_not_meet(self, store: OnlineStore) -> None:
        mine = store.claim(VIEW, PARTITION).epoch
        store.claim(VIEW, PARTITION + 1)
        store.claim("another-view", PARTITION)
        store.put_rows(VIEW, PARTITION, mine, 1, [("u", b"mine")])
        assert store.multi_get([key("u")]) == [b"mine"]

    def test_a_write_after_one_that_the_store_does_not_have_is_refused(self, store: OnlineStore) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        with pytest.raises(RolledBack):
            store.put_rows(VIEW, PARTITION, epoch, 2, [("u", b"late")])
        assert store.multi_get([key("u")]) == [None]

    def test_a_run_is_its_chunks_and_then_its_checkpoint(self, store: OnlineStore) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        chunks = [[("u1", b"1"), ("u2", b"2")], [("u3", b"3")]]
        store.put_runs([Run(VIEW, PARTITION, epoch, 1, chunks, CHECKPOINT)])
        assert store.multi_get([key("u1"), key("u2"), key("u3")]) == [b"1", b"2", b"3"]
        assert store.load_checkpoints(VIEW, [PARTITION, PARTITION + 1]) == [CHECKPOINT, None]
        assert store.claim(VIEW, PARTITION).checkpoint == CHECKPOINT

    def test_a_run_that_was_cut_off_goes_on_where_it_was(self, store: OnlineStore) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        chunks = [[("u1", b"1")], [("u2", b"2")]]
        store.put_rows(VIEW, PARTITION, epoch, 1, chunks[0])
        with pytest.raises(RolledBack):
            store.put_runs([Run(VIEW, PARTITION, epoch, 3, chunks, CHECKPOINT)])
        store.put_runs([Run(VIEW, PARTITION, epoch, 2, [chunks[1]], CHECKPOINT)])
        assert store.multi_get([key("u1"), key("u2")]) == [b"1", b"2"]

    def test_every_claim_is_another_epoch(self, store: OnlineStore) -> None:
        assert len({store.claim(VIEW, PARTITION).epoch for _ in range(50)}) == 50

    def test_rows_with_a_time_to_live_are_readable(self, store: OnlineStore) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        store.put_rows(VIEW, PARTITION, epoch, 1, [("u1", b"1"), ("u2", b"2")], 60)
        store.put_rows(VIEW, PARTITION, epoch, 2, [("u2", b"3")])
        assert store.multi_get([key("u1"), key("u2")]) == [b"1", b"3"]
