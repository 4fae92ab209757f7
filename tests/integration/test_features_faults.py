"""Feature workers on real parts: whatever fails, the rows end up exactly what the events add up to."""

import random
import re
import signal
import zlib

import pytest

from tests.integration.producers import ordered_producer
from tests.simulation.kill_campaign import STAGES, run_campaign
from tests.simulation.load import Load
from tests.simulation.pipeline import Pipeline, pipeline_on, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture
def flow(kafka, tmp_path):
    with pipeline_on(kafka, tmp_path) as running:
        yield running


@pytest.fixture
def load(flow: Pipeline, request: pytest.FixtureRequest) -> Load:
    return Load(flow, random.Random(zlib.crc32(request.node.name.encode())))


def test_twenty_kills_leave_every_counter_request_and_exposure_as_the_log_has_it(flow):
    outcome = run_campaign(flow, events=30_000, kills=20, seed=5, events_per_s=1_000, requests_per_s=20)
    assert sum(outcome.kills.values()) == 20
    assert {name.partition("-")[0] for name, kills in outcome.kills.items() if kills} == set(STAGES)
    assert outcome.requests > 500
    assert outcome.answered_again > 0
    assert outcome.counters > 10_000
    assert outcome.exposures > 4_000
    assert outcome.differences == []


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_two_hundred_thousand_events_survive_twenty_four_kills(flow):
    outcome = run_campaign(flow, events=200_000, kills=24, seed=1, events_per_s=1_500, requests_per_s=20)
    assert sum(outcome.kills.values()) == 24
    assert outcome.differences == []


def test_a_worker_that_was_frozen_past_its_session_writes_nothing_that_its_successor_owns(flow, load):
    with flow.workers(ingest=1, features=2) as workers:
        load.produce_items()
        load.produce(2_000)
        assert workers.signal("features-1", signal.SIGSTOP)
        load.produce(2_000)
        flow.wait_settled()
        assert workers.signal("features-1", signal.SIGCONT)
        load.produce(2_000)
        flow.wait_settled()
    assert load.differences() == []


def test_redis_killed_and_started_again_with_its_file_loses_no_count(flow, load):
    with flow.workers(ingest=1, features=1) as workers:
        load.produce_items()
        for _ in range(2):
            load.produce(2_000)
            flow.redis.kill()
            load.produce(2_000)
            flow.redis.start()
        flow.wait_settled()
        assert workers.restarts("features-0") > 0
    assert load.differences() == []


def test_redis_that_went_back_to_an_earlier_moment_is_noticed_and_brought_up_again(flow, load):
    with flow.workers(ingest=1, features=1) as workers:
        load.produce_items()
        load.produce(2_000)
        flow.wait_settled()
        flow.redis.keep_copy()
        load.produce(2_000)
        flow.wait_settled()
        assert workers.signal("features-0", signal.SIGSTOP)
        flow.redis.kill()
        flow.redis.put_back_copy()
        flow.redis.start()
        assert flow.behind()
        assert workers.signal("features-0", signal.SIGCONT)
        flow.wait_settled()
    assert load.differences() == []


def test_a_corrupt_batch_stops_the_worker_until_an_operator_decides(flow, load):
    with flow.workers(ingest=1):
        with flow.workers(features=1) as workers:
            load.produce_items()
            load.produce(1_000)
            flow.wait_settled()
            producer = ordered_producer(flow.settings.kafka_bootstrap)
            producer.produce("batches.user", b"not Arrow", partition=1)
            assert producer.flush(30) == 0
            load.produce(1_000)
            wait_until(lambda: workers.restarts("features-0") >= 2, "the worker ends again and again")
            assert "user[1]" in flow.behind()
        place = re.search(r"batches\.user:1:\d+", flow.log("features-0"))[0]
        with flow.workers({"EDDYLINE_FEATURES_SKIP": place}, features=1):
            flow.wait_settled()
    assert load.differences() == []
