"""Ports of a stack."""

import random
import socket

import pytest

from eddyline.stack.ports import HIGHEST, LOWEST, Ports, is_free


def ports(path, fixed=None, seed=0) -> Ports:
    return Ports(path, fixed or {}, random.Random(seed))


def test_a_chosen_port_is_remembered_by_the_next_start(tmp_path):
    chosen = ports(tmp_path / "ports.json")["kafka"]
    assert ports(tmp_path / "ports.json", seed=1)["kafka"] == chosen


def test_names_get_ports_of_their_own_that_are_free_and_never_lent_to_outgoing_connections(tmp_path):
    some = ports(tmp_path / "ports.json")
    chosen = [some[f"p{n}"] for n in range(50)]
    assert len(set(chosen)) == 50
    assert all(LOWEST <= port <= HIGHEST and is_free(port) for port in chosen)


def test_a_port_that_something_listens_on_is_not_chosen(tmp_path):
    first_choice = ports(tmp_path / "a.json")["kafka"]
    with socket.create_server(("127.0.0.1", first_choice)):
        assert not is_free(first_choice)
        assert ports(tmp_path / "b.json")["kafka"] != first_choice


def test_two_stacks_that_choose_at_the_same_time_choose_differently(tmp_path):
    first, second = ports(tmp_path / "a.json"), ports(tmp_path / "b.json")
    assert first["kafka"] != second["kafka"]


def test_a_remembered_port_is_kept_from_others_although_nothing_listens_on_it_yet(tmp_path):
    remembered = ports(tmp_path / "a.json")["kafka"]
    again = ports(tmp_path / "a.json")
    assert again["kafka"] == remembered != ports(tmp_path / "b.json")["kafka"]


def test_a_prescribed_port_is_taken_as_it_is_and_not_written_down(tmp_path):
    some = ports(tmp_path / "ports.json", {"kafka": 9092, "redis": 0})
    assert some["kafka"] == 9092
    assert not (tmp_path / "ports.json").exists()
    assert some["redis"] != 0
    assert some.known == {"kafka": 9092, "redis": some["redis"]}


def test_when_every_port_is_taken_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("eddyline.stack.ports.is_free", lambda port: False)
    with pytest.raises(RuntimeError, match="no free port"):
        ports(tmp_path / "ports.json")["kafka"]
