"""The catalogue: a page for people that says what each feature means, made from the definitions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

from feature_store.catalog import Catalog
from feature_store.cost import feature_bytes, header_bytes
from feature_store.features import Feature, Rate
from feature_store.views import FeatureView

Readers = Mapping[str, Sequence[str]]
"""Service -> the models that read it."""


def catalogue_page(catalog: Catalog, readers: Readers) -> str:
    """Markdown of every view, item attribute and service of ``catalog``."""
    used = _used_by(catalog)
    lines = ["# Feature catalogue", "", f"Written by `{COMMAND}` from the definitions; do not edit.", ""]
    lines += _services(catalog, readers)
    for view in catalog.views:
        lines += _view(view, used)
    lines += _attributes(catalog, used)
    return "\n".join(lines)


COMMAND = "eddyline features catalogue"

_Used = Mapping[str, list[str]]
"""Reference of a column -> services that have it."""


def _used_by(catalog: Catalog) -> _Used:
    used: dict[str, list[str]] = {}
    for service in catalog.services:
        recents = (each.source for each, _ in service.recents)
        for reference in (*service.user, *service.candidate, *recents):
            used.setdefault(reference, []).append(service.name)
    return used


def _services(catalog: Catalog, readers: Readers) -> Iterator[str]:
    yield from (
        "## Services",
        "",
        "| service | fingerprint | columns | models |",
        "| --- | --- | --- | --- |",
    )
    for service in catalog.services:
        columns = f"{len(service.user) + len(service.candidate)} numbers, {len(service.ids)} ids"
        columns += "".join(f", {k} recent ids of {each.of} ({each.name})" for each, k in service.recents)
        models = ", ".join(readers.get(service.name, ())) or "none"
        yield f"| {service.name} | `{service.fingerprint}` | {columns} | {models} |"
    yield ""


def _view(view: FeatureView, used: _Used) -> Iterator[str]:
    row_bytes = header_bytes() + sum(map(feature_bytes, view.features))
    expiry = "never expire" if view.ttl_s is None else f"expire {view.ttl_s} s after their last event"
    yield from (f"## View {_cell(view.name)}", "")
    yield (
        f"Entity `{view.entity}`, owner {view.owner}, fingerprint `{view.fingerprint}`. "
        f"A row has {row_bytes} bytes, {header_bytes()} of them its header; rows {expiry}."
    )
    yield from ("", "| feature | meaning | made of | unit | default | owner | bytes | services |")
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for feature in view.features:
        services = ", ".join(used.get(f"{view.name}.{feature.name}", ())) or "none"
        cells = (
            feature.name,
            feature.description,
            made_of(feature),
            feature.unit,
            f"{feature.default:g}",
            feature.owner,
            str(feature_bytes(feature)),
            services,
        )
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""


def _attributes(catalog: Catalog, used: _Used) -> Iterator[str]:
    yield from ("## Item attributes", "", "Read from the item itself; they need nothing in Redis.", "")
    yield from ("| attribute | meaning | unit | default | services |", "| --- | --- | --- | --- | --- |")
    for attribute in catalog.item_attributes:
        services = ", ".join(used.get(f"attribute.{attribute.name}", ())) or "none"
        cells = (attribute.name, attribute.description, attribute.unit, f"{attribute.default:g}", services)
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""


def made_of(feature: Feature) -> str:
    """A feature's source in a few words."""
    source = feature.source
    if isinstance(source, Rate):
        priors = f"{source.prior_numerator:g}) / ({source.denominator} + {source.prior_denominator:g}"
        return f"({source.numerator} + {priors})"
    parameters = ", ".join(
        f"{field.name} {getattr(source, field.name)}"
        for field in fields(source)  # type: ignore[arg-type]  # every aggregator is a dataclass
        if field.name != "event"
    )
    kind = type(source).__name__
    return f"{kind} of {', '.join(source.events)}" + (f"; {parameters}" if parameters else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
