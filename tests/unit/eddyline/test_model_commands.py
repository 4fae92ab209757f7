"""`eddyline models` moves aliases and shows them in MLflow; slices are shown with paired intervals."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console
from structlog.testing import capture_logs
from typer.testing import CliRunner

from eddyline.cli import build
from eddyline.commands import models
from eddyline.commands._evaluation import slices_table
from feature_store.clock import ManualClock
from feature_store.settings import Settings
from ranker.registry.aliases import MemoryAliases
from ranker.registry.folders import ModelFolders
from ranker.registry.models import Check, ModelId
from ranker.registry.registry import ModelRegistry
from ranker.training.evaluation import Evaluation, Result, Slice
from tests.unit.ranker.registry.test_records import LEARNED
from tests.unit.ranker.registry.test_registry import COUNTERS


def test_an_alias_moves_to_a_version_that_passed_and_says_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = ModelRegistry(ModelFolders(tmp_path / "models"), MemoryAliases(), ManualClock(5))
    monkeypatch.setattr(models, "_registry", lambda: registry)
    monkeypatch.setenv("EDDYLINE_MLFLOW_URI", f"sqlite:///{tmp_path}/mlflow.db")
    for _ in range(2):
        registry.folders.write_checks(registry.register(LEARNED, {}).id, [Check("finite", True, "")])
    registry.register(LEARNED, {})

    def ask(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(build(), ["models", "alias", *words, "--reason", "why"])
        return result.exit_code, " ".join(result.output.partition("telling MLflow")[0].split())

    assert ask("shadow", "timeline_ranker/1") == (0, "shadow is timeline_ranker/1 now; it was unset")
    assert ask("shadow", "timeline_ranker/2")[1].endswith("it was timeline_ranker/1")
    assert registry.aliases() == {"shadow": ModelId("timeline_ranker", "2")}
    assert registry.history()[0].reason == "why"
    assert "has not been through the gate" in ask("shadow", "timeline_ranker/3")[1]
    assert ask("champion", "timeline_ranker/1")[0] == 2


def test_a_slice_shows_how_much_better_the_new_model_is_than_what_was_learned() -> None:
    results = tuple(
        Result(name, 0.5, 0.4, 0.6, 0.0123, -0.0456, 0.0789) for name in ("random", "LightGBM", "new model")
    )
    part = Slice("new users", 40, 30, results)
    console = Console(width=200, record=True)
    console.print(slices_table(Evaluation("all", 50, 40, results, (part,))))
    assert console.export_text().count("+0.0123 (-0.0456 to +0.0789)") == 1


def test_every_alias_is_shown_also_what_a_command_that_was_cut_off_did_not_show(tmp_path: Path) -> None:
    registry = ModelRegistry(ModelFolders(tmp_path / "models"), MemoryAliases(), ManualClock(5))
    first, second = registry.register(COUNTERS, {}), registry.register(COUNTERS, {})
    registry.set_alias("champion", first.id, expected=None, reason="the first")
    registry.promote(second.id, expected=first.id, reason="by a command that was cut off")
    with capture_logs() as logged:
        models.show_in_mlflow(registry, Settings(mlflow_uri=SecretStr("nobody://answers")))
    assert {(each["alias"], each["model"]) for each in logged} == {
        ("champion", "counters/2"),
        ("rollback", "counters/1"),
    }
