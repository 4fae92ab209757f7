"""Views: what is counted of items, users, creators and their combinations."""

from feature_store.aggregators import Age, Count, DecayedSum, IdSet, PaneWindow, RecentIds
from feature_store.views import Feature, FeatureView, Rate

HOUR_S = 3600
DAY_S = 24 * HOUR_S
_NEVER_S = 365.0 * DAY_S

_IMPRESSION, _CLICK = "impression", "interaction/click"
_LIKE, _HIDE, _REPLY = "interaction/like", "interaction/hide", "interaction/reply"


def _totals(*names: tuple[str, str]) -> tuple[Feature, ...]:
    """All-time counts ``<name>_count_total``."""
    return tuple(
        Feature(f"{name}_count_total", Count(event), unit="events", description=f"All {name}s, ever.")
        for name, event in names
    )


def _decayed(name: str, event: str, *half_lives: tuple[str, int]) -> tuple[Feature, ...]:
    """Decayed counts ``<name>s_<half-life>``."""
    return tuple(
        Feature(
            f"{name}s_{label}", DecayedSum(event, seconds), unit="events", description=f"Half-life {label}."
        )
        for label, seconds in half_lives
    )


def _click_rates(*labels: str) -> tuple[Feature, ...]:
    """Smoothed click rates over all time and over each half-life."""
    total = Feature("ctr_total", Rate("click_count_total", "impression_count_total"), unit="ratio")
    return (
        total,
        *(Feature(f"ctr_{label}", Rate(f"clicks_{label}", f"impressions_{label}")) for label in labels),
    )


def _ages(*names: tuple[str, str]) -> tuple[Feature, ...]:
    """Seconds since the last one, ``<name>_age_s``."""
    return tuple(
        Feature(
            f"{name}_age_s", Age(event), default=_NEVER_S, unit="s", description=f"Since the last {name}."
        )
        for name, event in names
    )


_H, _D, _W = ("1h", HOUR_S), ("1d", DAY_S), ("7d", 7 * DAY_S)

ITEM = FeatureView(
    "item",
    "item",
    (
        *_totals(("impression", _IMPRESSION), ("click", _CLICK), ("like", _LIKE), ("hide", _HIDE)),
        *_decayed("impression", _IMPRESSION, _H, _D, _W),
        *_decayed("click", _CLICK, _H, _D, _W),
        *_decayed("like", _LIKE, _W),
        *_decayed("hide", _HIDE, _W),
        *_click_rates("1h", "1d", "7d"),
        Feature("impressions_10m", PaneWindow(_IMPRESSION, pane_s=60, panes=10), unit="events"),
        Feature("clicks_10m", PaneWindow(_CLICK, pane_s=60, panes=10), unit="events"),
        *_ages(("impression", _IMPRESSION), ("click", _CLICK)),
    ),
    owner="ranking",
)

USER = FeatureView(
    "user",
    "user",
    (
        *_totals(
            ("impression", _IMPRESSION),
            ("click", _CLICK),
            ("like", _LIKE),
            ("hide", _HIDE),
            ("reply", _REPLY),
        ),
        *_decayed("impression", _IMPRESSION, _H, _D),
        *_decayed("click", _CLICK, _H, _D),
        *_click_rates("1d"),
        *_ages(("impression", _IMPRESSION), ("click", _CLICK)),
    ),
    owner="ranking",
)

CREATOR = FeatureView(
    "creator",
    "creator",
    (
        *_totals(("impression", _IMPRESSION), ("click", _CLICK)),
        *_decayed("impression", _IMPRESSION, _D, _W),
        *_decayed("click", _CLICK, _D, _W),
        *_click_rates("1d", "7d"),
        *_ages(("click", _CLICK)),
    ),
    owner="ranking",
)

_TASTE = (
    *_totals(("impression", _IMPRESSION), ("click", _CLICK)),
    *_decayed("impression", _IMPRESSION, _D),
    *_decayed("click", _CLICK, _D),
    *_click_rates("1d"),
    *_ages(("impression", _IMPRESSION), ("click", _CLICK)),
)

USER_CREATOR = FeatureView("user|creator", "user|creator", _TASTE, owner="ranking")
USER_GENRES = FeatureView("user|genres", "user|genres", _TASTE, owner="ranking")

USER_HISTORY = FeatureView(
    "user_history",
    "user",
    (
        Feature(
            "seen_items",
            RecentIds(_IMPRESSION, "item_hash", 100),
            unit="items",
            description="Items seen last.",
        ),
    ),
    owner="ranking",
)

USER_BLOCKS = FeatureView(
    "user_blocks",
    "user",
    (
        Feature(
            "blocked_creators",
            IdSet("interaction/block_creator", "interaction/unblock_creator", "creator_hash", 64),
            unit="creators",
            description="Creators that the user blocks.",
        ),
    ),
    owner="ranking",
)

VIEWS = (ITEM, USER, CREATOR, USER_CREATOR, USER_GENRES, USER_HISTORY, USER_BLOCKS)
