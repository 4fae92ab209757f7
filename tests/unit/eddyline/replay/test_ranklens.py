import gzip
from pathlib import Path

import pytest

from eddyline.replay.ranklens import (
    RankLensError,
    RankLensLog,
    attributes_of,
    creator_of,
    popularity_of,
    read_ranklens,
)
from tests.unit.eddyline.replay.logs import SMALL, as_lines, item, ranking


def _read(tmp_path: Path, content: bytes) -> RankLensLog:
    path = tmp_path / "events.jsonl"
    path.write_bytes(content)
    return read_ranklens(path)


def test_a_gzipped_file_reads_like_a_plain_one_whatever_its_name(tmp_path: Path) -> None:
    plain = _read(tmp_path, as_lines(SMALL))
    assert _read(tmp_path, gzip.compress(as_lines(SMALL))) == plain
    assert [len(plain.items), len(plain.rankings), len(plain.interactions)] == [2, 3, 2]


def test_events_come_in_time_order_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    log = _read(tmp_path, as_lines(SMALL[::-1]))
    assert [one.id for one in log.rankings] == ["r2", "r1", "r3"]
    assert log.last_time_ms == 1_636_993_845_000


def test_the_director_is_the_creator_and_no_attribute(tmp_path: Path) -> None:
    first, second = _read(tmp_path, as_lines(SMALL)).items
    assert creator_of(first) == "ron howard"
    assert creator_of(second) is None
    assert attributes_of(first) == {"title": "A", "popularity": 1.5, "genres": ["drama"]}
    assert popularity_of(second) == 3.0


def test_attributes_stay_within_the_limits_of_an_item_event(tmp_path: Path) -> None:
    long = item("x", tags=[f"t{n}" for n in range(100)], description="x" * 70_000)
    many = item("y", **{f"field{n}": 1.0 for n in range(100)})
    log = _read(tmp_path, as_lines([long, many, *SMALL]))
    assert attributes_of(log.items[0]) == {"tags": [f"t{n}" for n in range(64)]}
    assert len(attributes_of(log.items[1])) == 64


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"{", "line 2"),
        (b"[]", "line 2"),
        (b'{"event":"session"}', "line 2: Invalid value 'session'"),
        (b'{"event":"ranking","id":"r"}', "line 2: Object missing required field `user`"),
        (as_lines([{**ranking("r", "u", 0, ["a"]), "timestamp": "noon"}]), "line 2: .*'noon'"),
        (b"\xff\xfe", "line 2"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, complaint: str) -> None:
    with pytest.raises(RankLensError, match=complaint):
        _read(tmp_path, as_lines(SMALL[:1]) + line)


def test_a_gzip_file_cut_short_is_an_error_and_not_a_shorter_log(tmp_path: Path) -> None:
    with pytest.raises(RankLensError, match="after line"):
        _read(tmp_path, gzip.compress(as_lines(SMALL))[:-20])


def test_a_file_without_rankings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RankLensError, match="no ranking"):
        _read(tmp_path, as_lines(SMALL[:1]))
