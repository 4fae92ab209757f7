"""The features that we ship, as data: add one here, and nothing else changes."""

from feature_store.definitions.items import ITEM_ATTRIBUTES
from feature_store.definitions.services import SERVICES
from feature_store.definitions.views import VIEWS

__all__ = ["ITEM_ATTRIBUTES", "SERVICES", "VIEWS"]
