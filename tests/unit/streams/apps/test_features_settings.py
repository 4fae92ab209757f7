"""Settings of the feature workers."""

import pytest
from pydantic import ValidationError

from streams.apps.features_settings import FeaturesSettings


def test_messages_to_skip_are_given_as_topic_partition_offset():
    settings = FeaturesSettings(features_skip="batches.user:2:17, batches.item:0:3,batches.user:1:4")
    assert settings.skipped("batches.user") == {(2, 17), (1, 4)}
    assert settings.skipped("batches.creator") == set()


@pytest.mark.parametrize("text", ["batches.user", "batches.user:x:3", "batches.user:1"])
def test_what_is_no_place_is_refused_with_its_name(text):
    with pytest.raises(ValidationError, match="EDDYLINE_FEATURES_SKIP"):
        FeaturesSettings(features_skip=text)
