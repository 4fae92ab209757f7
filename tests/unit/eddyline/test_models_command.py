"""`eddyline models promote|rollback` say what serves, then show MLflow where aliases point."""

from pathlib import Path

from pydantic import SecretStr
from structlog.testing import capture_logs

from eddyline.commands.models import show_in_mlflow
from feature_store.clock import ManualClock
from feature_store.settings import Settings
from ranker.registry.aliases import MemoryAliases
from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelMetadata
from ranker.registry.registry import ModelRegistry

COUNTERS = ModelMetadata(
    name="counters",
    service="timeline_v1",
    fingerprint="abc",
    user_columns=(),
    candidate_columns=("impressions", "clicks"),
    id_columns=(),
    heads=("click",),
)


def test_every_alias_is_shown_also_what_a_command_that_was_cut_off_did_not_show(tmp_path: Path) -> None:
    registry = ModelRegistry(ModelFolders(tmp_path / "models"), MemoryAliases(), ManualClock(5))
    first, second = registry.register(COUNTERS, {}), registry.register(COUNTERS, {})
    registry.set_alias("champion", first.id, expected=None, reason="the first")
    registry.promote(second.id, expected=first.id, reason="by a command that was cut off")
    with capture_logs() as logged:
        show_in_mlflow(registry, Settings(mlflow_uri=SecretStr("nobody://answers")))
    assert {(each["alias"], each["model"]) for each in logged} == {
        ("champion", "counters/2"),
        ("rollback", "counters/1"),
    }
