"""A page for people that lists every setting, made from where settings are declared.

``python -m eddyline.settings_page`` writes it; a test checks that it is current.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from eddyline.clients.metrics_settings import MetricsSettings
from eddyline.lineage.settings import LineageSettings
from eddyline.parity.settings import ParitySettings
from eddyline.stack.parts import ROOT
from eddyline.stack.settings import StackSettings
from feature_store.settings import Settings
from ranker.panel.settings import PanelSettings
from ranker.service.settings import RankerSettings
from ranker.training.settings import LearningSettings, TrainerSettings
from streams.apps.detectors_settings import DetectorSettings
from streams.apps.features_settings import FeaturesSettings
from streams.apps.join_settings import JoinSettings
from streams.ingest.settings import IngestSettings

PUBLISHED = ROOT / "docs" / "settings.md"
READERS: dict[str, type[Settings]] = {
    "streams.ingest": IngestSettings,
    "streams.apps.features": FeaturesSettings,
    "streams.apps.join": JoinSettings,
    "ranker.service": RankerSettings,
    "ranker.panel": PanelSettings,
    "streams.apps.detectors": DetectorSettings,
    "ranker.training": TrainerSettings,
    "eddyline train": LearningSettings,
    "eddyline.parity": ParitySettings,
    "eddyline.lineage": LineageSettings,
    "eddyline up": StackSettings,
    "eddyline loops": MetricsSettings,
}
"""What runs -> the settings that it reads, those of their base classes included."""

_INTRODUCTION = """\
# Settings

Written by `python -m eddyline.settings_page` from the declarations; do not edit.

Settings are environment variables; the last column has their units. Where a name occurs twice, each process
has the default of its own section. Commands read those of the first section, `EDDYLINE_HTTP` (http://host:port
of a ranker), and those of the process whose work they do.
"""


def settings_page() -> str:
    """Markdown of every setting by the class that declares it, with what reads it."""
    return "\n".join([_INTRODUCTION, *(line for declared in declaring() for line in _section(declared))])


def declaring() -> list[type[Settings]]:
    """The classes that declare settings, bases before what is made of them, each once."""
    lines = [reversed(cls.__mro__) for cls in READERS.values()]
    return list(dict.fromkeys(cls for line in lines for cls in line if issubclass(cls, Settings)))


def own_fields(cls: type[Settings]) -> dict[str, FieldInfo]:
    """What ``cls`` declares itself, by the names of the environment variables."""
    prefix = str(cls.model_config.get("env_prefix"))
    declared = {name: field for name, field in cls.model_fields.items() if name in cls.__annotations__}
    return {f"{prefix}{name.upper()}": field for name, field in declared.items()}


def _section(cls: type[Settings]) -> Iterator[str]:
    readers = [f"`{reader}`" for reader, settings in READERS.items() if issubclass(settings, cls)]
    everybody = len(readers) == len(READERS)
    yield f"## {'Everywhere' if everybody else ', '.join(readers)}"
    yield from (
        "",
        (cls.__doc__ or "").partition("\n")[0],
        "",
        "| setting | default | meaning |",
        "| --- | --- | --- |",
    )
    for name, field in own_fields(cls).items():
        yield f"| `{name}` | {_default(field)} | {_meaning(field)} |"
    yield ""


def _default(field: FieldInfo) -> str:
    """Empty where there is none, and of secrets."""
    value: Any = field.default
    if value is None or value == "" or isinstance(value, SecretStr):
        return ""
    if isinstance(value, Path) and value.is_relative_to(ROOT):
        value = value.relative_to(ROOT)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _meaning(field: FieldInfo) -> str:
    words = (field.description or "").replace("|", "\\|")
    if get_origin(field.annotation) is Literal:
        words += f" One of {', '.join(get_args(field.annotation))}."
    return words


if __name__ == "__main__":
    PUBLISHED.write_text(settings_page())
