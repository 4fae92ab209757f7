"""How commands come together: a module of a package adds what its `app` holds."""

import importlib
import pkgutil
from types import ModuleType

import typer


def add_modules(group: typer.Typer, package: ModuleType) -> None:
    """Give ``group`` the commands and groups of every module of ``package`` whose name has no leading `_`."""
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        if not module.name.startswith("_"):
            group.add_typer(importlib.import_module(f"{package.__name__}.{module.name}").app)
