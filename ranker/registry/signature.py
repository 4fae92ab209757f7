"""A feature service as the models see it."""

from feature_store.catalog import load_catalog
from feature_store.views import FeatureService
from triton_models.signature import Recents, Signature

SERVICE = "timeline_v1"
"""The feature service that models are made for."""


def signature_of(service: FeatureService) -> Signature:
    """The service's columns, by name, in order."""
    return Signature(
        service=service.name,
        fingerprint=service.fingerprint,
        user=service.user,
        candidate=service.candidate,
        ids=service.id_columns,
        recents=tuple(Recents(each.name, each.of, k, each.alike) for each, k in service.recents),
    )


def default_signature() -> Signature:
    """Of the service that is shipped and served."""
    return signature_of(load_catalog().service(SERVICE))
