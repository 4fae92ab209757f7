"""What deploy files and documents may name: settings, commands, modules, as the code declares them."""

import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup

import eddyline
import feature_store
import ranker
import streams
from eddyline.cli import build
from feature_store.settings import Settings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
PACKAGES = (eddyline, feature_store, ranker, streams)
SETTING = re.compile(r"EDDYLINE_[A-Z0-9]+(?:_[A-Z0-9]+)*")
Command = TyperCommand | TyperGroup


def settings_classes() -> set[type[Settings]]:
    """Every class of settings, found in the modules that are named for it; none that a test makes."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("settings"):
                importlib.import_module(module.name)
    return {cls for cls in _with_subclasses(Settings) if cls.__module__.partition(".")[0] != "tests"}


@cache
def setting_names() -> frozenset[str]:
    """Names of all environment variables that some process reads."""
    declared = {f"EDDYLINE_{field.upper()}" for cls in settings_classes() for field in cls.model_fields}
    of_commands = {name for command in commands().values() for name in _environment_of(command)}
    return frozenset(declared | of_commands)


@cache
def commands() -> dict[tuple[str, ...], Command]:
    """Every command of the command line by its words, groups included."""
    return dict(_walk((), typer.main.get_command(build())))


def main_of(module: str) -> str:
    """Name of what `python -m module` runs; raises ModuleNotFoundError where it would."""
    found = importlib.util.find_spec(module)
    if found is None:
        raise ModuleNotFoundError(module)
    return module if found.submodule_search_locations is None else main_of(f"{module}.__main__")


def _with_subclasses(cls: type[Settings]) -> Iterator[type[Settings]]:
    yield cls
    for subclass in cls.__subclasses__():
        yield from _with_subclasses(subclass)


def _walk(words: tuple[str, ...], command: Command) -> Iterator[tuple[tuple[str, ...], Command]]:
    yield words, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from _walk((*words, name), sub)


def _environment_of(command: Command) -> Iterator[str]:
    for parameter in command.params:
        names = parameter.envvar or ()
        yield from (names,) if isinstance(names, str) else names
