"""`eddyline models list|show|lineage|promote|rollback|alias|rebuild|prune`: versions, what points to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from feature_store.settings import Settings
    from ranker.registry.models import ModelId, ModelMetadata
    from ranker.registry.registry import ModelRegistry

app = typer.Typer()
group = typer.Typer(no_args_is_help=True, help="Versions of models, where they come from, which one serves.")
app.add_typer(group, name="models")

Model = Annotated[str, typer.Argument(help="name/version, or name for its newest version.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the history.")]
AliasName = Annotated[
    Literal["challenger", "canary", "shadow"],
    typer.Argument(help="challenger, canary or shadow; promote and rollback move the champion."),
]
OlderThan = Annotated[float, typer.Option(min=0, help="Age from which a version may go, days.")]
Keep = Annotated[
    list[str] | None, typer.Option(help="A version to keep whatever its age, such as a holdout's.")
]
DryRun = Annotated[bool, typer.Option(help="Only say which.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@group.command("list")
def list_() -> None:
    """All versions that can be served, with their aliases and whether they passed the gate."""
    with _clear_errors():
        registry = _registry()
        aliases = registry.aliases()
        table = Table("model", "aliases", "gate", "fingerprint", "NDCG@10")
        for model in registry.version_ids():
            names = " ".join(alias for alias, at in aliases.items() if at == model)
            table.add_row(str(model), names, *_figures(registry, model))
        Console().print(table)


@group.command()
def show(model: Model) -> None:
    """Everything that is known of a version, as JSON, with what the gate found."""
    import msgspec

    with _clear_errors():
        registry = _registry()
        found = registry.find(model)
        known = {**msgspec.to_builtins(found), "gate": msgspec.to_builtins(registry.folders.checks(found.id))}
        typer.echo(msgspec.json.format(msgspec.json.encode(known), indent=2).decode())


@group.command()
def lineage(model: Model) -> None:
    """What a version was made of, and what its parents were made of."""
    with _clear_errors():
        registry = _registry()
        table = Table("model", "data", "weights", "commit", "offsets", "policies", "experiments")
        ancestry = registry.ancestry(model)
        for each in ancestry:
            table.add_row(*_lineage_row(each))
        Console().print(table)
        if (made := ancestry[-1].lineage) is not None and made.parent is not None:
            typer.echo(f"{ancestry[-1].id} went on from {made.parent}, which was removed")


@group.command()
def promote(model: Model, reason: Reason) -> None:
    """Make a version that passed the gate the champion; rankers load it before the old one goes."""
    with _clear_errors():
        registry = _registry()
        found, present = registry.find(model), registry.champion_id()
        registry.promote(found.id, expected=present, reason=reason, fingerprint=_fingerprint())
        typer.echo(f"{found.id} is the champion now; {present} is the rollback")
        show_in_mlflow(registry, _settings())


@group.command()
def rollback(reason: Reason) -> None:
    """Make what the champion replaced the champion again."""
    with _clear_errors():
        registry = _registry()
        model = registry.roll_back(reason=reason, fingerprint=_fingerprint())
        typer.echo(f"{model} is the champion again")
        show_in_mlflow(registry, _settings())


@group.command()
def alias(alias: AliasName, model: Model, reason: Reason) -> None:
    """Point challenger, canary or shadow to a version that passed the gate, unless somebody else moves it."""
    with _clear_errors():
        registry = _registry()
        found, present = registry.find(model), registry.aliases().get(alias)
        registry.set_alias(alias, found.id, expected=present, reason=reason)
        typer.echo(f"{alias} is {found.id} now; it was {present or 'unset'}")
        show_in_mlflow(registry, _settings())


@group.command()
def rebuild(model: Model) -> None:
    """Make a version's weights again from what the registry kept; they must be the same bits."""
    from ranker.registry.connect import open_training_data
    from ranker.training.rebuild import rebuild as run

    with _clear_errors():
        registry = _registry()
        found = registry.find(model)
        run(registry, open_training_data(_settings()), found)
        typer.echo(f"{found.id} made again: the same weights, bit for bit")


@group.command()
def prune(older_than_days: OlderThan = 30.0, keep: Keep = None, dry_run: DryRun = False) -> None:
    """Remove versions that were set aside long ago, with the rows that only they learned from.

    One that is damaged is named and stays; the exit status is 1 then.
    """
    from feature_store.clock import SystemClock
    from ranker.registry.connect import open_training_data
    from ranker.registry.models import ModelId
    from ranker.registry.retention import damaged, prunable
    from ranker.registry.retention import prune as run

    before_ms = SystemClock().now_ms() - int(older_than_days * 86_400_000)
    with _clear_errors():
        registry = _registry()
        found = prunable(registry, before_ms, [ModelId.parse(model) for model in keep or []])
        if not dry_run:
            run(registry, open_training_data(_settings()), found)
        told = "could be removed" if dry_run else "removed"
        typer.echo(f"{len(found)} versions {told}" + "".join(f"\n  {model.id}" for model in found))
        problems = damaged(registry)
    for problem in problems:
        typer.echo(f"left as it is: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


@contextmanager
def _clear_errors() -> Iterator[None]:
    from eddyline.commands import _terminal
    from ranker.registry.models import RegistryError
    from ranker.training.errors import TrainingError

    with _terminal.clear_errors(RegistryError, TrainingError):
        yield


def _fingerprint() -> str:
    from ranker.registry.signature import default_signature

    return default_signature().fingerprint


def _registry() -> ModelRegistry:
    """Without MLflow, which takes seconds: what an alias points to serves whether MLflow shows it or not."""
    from feature_store.clock import SystemClock
    from ranker.registry.connect import open_registry

    return open_registry(_settings(), SystemClock())


def show_in_mlflow(registry: ModelRegistry, settings: Settings) -> None:
    """Where all aliases point: what a command that was cut off here did not tell is told by the next one."""
    from ranker.registry.records import MlflowRecords

    typer.echo("telling MLflow, which takes some seconds; rankers know already")
    records = MlflowRecords(settings.mlflow)
    for alias, model in registry.aliases().items():
        records.point(alias, model)


def _settings() -> Settings:
    from eddyline.clients.stack_settings import of_the_stack
    from feature_store.settings import Settings

    return of_the_stack(Settings())


def _figures(registry: ModelRegistry, model: ModelId) -> tuple[str, str, str]:
    """What the gate said, the features, the quality; a damaged version must not hide the others."""
    from ranker.registry.models import RegistryError

    try:
        found = registry.folders.metadata(model)
        return _verdict(registry, found), found.fingerprint, _quality(found)
    except RegistryError:
        return "damaged", "", ""


def _verdict(registry: ModelRegistry, model: ModelMetadata) -> str:
    checks = registry.folders.checks(model.id)
    if checks is None:
        return "" if model.lineage is None else "not examined"
    failed = sum(not check.passed for check in checks)
    return f"{failed} of {len(checks)} failed" if failed else "passed"


def _quality(model: ModelMetadata) -> str:
    results = model.evaluation.get("results", [])
    found = [result["ndcg_at_10"] for result in results if result["ranker"] == "new model"]
    return f"{found[0]:.4f}" if found and found[0] is not None else ""


def _lineage_row(model: ModelMetadata) -> tuple[str, ...]:
    made = model.lineage
    if made is None:
        return (str(model.id), "not learned", "", "", "", "", "")
    offsets = ", ".join(
        f"{number}: {first} to {end}" for number, (first, end) in sorted(made.offsets.items())
    )
    shares = [
        ", ".join(f"{name} {share:.0%}" for name, share in each.items())
        for each in (made.policies, made.experiments)
    ]
    commit = (model.git_commit or "")[:12]
    return (str(model.id), made.training_data[:12], made.weights[:12], commit, offsets, *shares)
