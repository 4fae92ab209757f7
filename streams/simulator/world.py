"""The hidden truth of a simulation: who likes what, and how likely that makes a click."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from feature_store.schema.events import ItemEvent

GENRES = ("drama", "comedy", "horror", "romance", "thriller", "western", "animation", "documentary")
_ADJECTIVES = (
    "Quiet",
    "Last",
    "Golden",
    "Broken",
    "Hidden",
    "Second",
    "Paper",
    "Northern",
    "Burning",
    "Long",
)
_NOUNS = ("Harbour", "Winter", "Letter", "Orchard", "Station", "Promise", "River", "Mirror", "Garden", "Road")

_BASE_LOGIT = -2.2
_LOVED, _DISLIKED = 2.6, -2.2
_FAVOURITE_CREATOR = 1.2
_QUALITY = 0.7
_POPULARITY_NOISE = 0.3
_HOUR_MS = 3_600_000

Float = NDArray[np.float64]
Index = NDArray[np.int64]


class World:
    """Users with tastes, items with creators, genres and a quality of their own.

    Parameters
    ----------
    seed : the same seed makes the same world
    users, items, creators : how many
    """

    def __init__(self, seed: int, users: int = 400, items: int = 600, creators: int = 60) -> None:
        rng = np.random.default_rng(seed)
        self.user_ids = [f"user-{number}" for number in range(users)]
        self.item_ids = [f"item-{number}" for number in range(items)]
        self.index_of_item = {item_id: number for number, item_id in enumerate(self.item_ids)}
        self.creator_of_item = rng.integers(creators, size=items)
        self.genres_of_item = _genres(rng, rng.integers(len(GENRES), size=creators)[self.creator_of_item])
        self.quality = rng.normal(size=items)
        self.taste = _tastes(rng, users)
        self.favourites = rng.random((users, creators)) < 3 / creators
        self.activity = _activity(rng, users)
        self.popularity = np.exp(self.quality + rng.normal(0, _POPULARITY_NOISE, items))

    @cached_property
    def click_logit(self) -> Float:
        """Log-odds of a click on an item that the user looks at, (users, items)."""
        weights = self.genres_of_item / self.genres_of_item.sum(axis=1, keepdims=True)
        personal = self.taste @ weights.T + _FAVOURITE_CREATOR * self.favourites[:, self.creator_of_item]
        logit: Float = _BASE_LOGIT + personal + _QUALITY * self.quality
        return logit

    def item_events(self, now_ms: int) -> Iterator[ItemEvent]:
        """The events that announce all items, each made some hours before ``now_ms``."""
        for number, item_id in enumerate(self.item_ids):
            made_ms = now_ms - number % 48 * _HOUR_MS
            yield self.item_event(number, f"made-{item_id}", made_ms, float(self.popularity[number]))

    def item_event(self, item: int, event_id: str, at_ms: int, popularity: float) -> ItemEvent:
        """What its producer says of an item: everything, as each such event replaces the one before."""
        return ItemEvent(
            event_id=event_id,
            event_time_ms=at_ms,
            item_id=self.item_ids[item],
            creator_id=f"creator-{self.creator_of_item[item]}",
            attributes={
                "title": self.title_of(item),
                "genres": self.genres(item),
                "popularity": round(popularity, 3),
            },
        )

    @cached_property
    def outsider(self) -> int:
        """Of the users who come often, the one who cares least for what most others click."""
        click = 1 / (1 + np.exp(-self.click_logit))
        fit = click @ (self.activity @ click) / click.sum(axis=1)
        often = self.activity >= np.median(self.activity)
        return int(np.argmin(np.where(often, fit, np.inf)))

    def title_of(self, item: int) -> str:
        """A title, for people to look at."""
        adjective, noun = _ADJECTIVES[item % len(_ADJECTIVES)], _NOUNS[item // 10 % len(_NOUNS)]
        return f"The {adjective} {noun}" + (f" {item // 100 + 1}" if item >= 100 else "")

    def genres(self, item: int) -> list[str]:
        """The names of an item's genres."""
        return [GENRES[genre] for genre in np.flatnonzero(self.genres_of_item[item])]

    def loved_genres(self, user: int) -> list[str]:
        """The genres that a user loves."""
        return [GENRES[genre] for genre in np.flatnonzero(self.taste[user] == _LOVED)]


def _genres(rng: np.random.Generator, main: Index) -> Float:
    """Multi-hot (items, genres): the creator's main genre, and for every other item a second one."""
    flags = np.zeros((len(main), len(GENRES)))
    items = np.arange(len(main))
    flags[items, main] = 1
    second = rng.random(len(main)) < 0.5
    flags[items[second], rng.integers(len(GENRES), size=second.sum())] = 1
    return flags


def _tastes(rng: np.random.Generator, users: int) -> Float:
    """Each user loves two genres, dislikes two, and is near indifferent to the others, (users, genres)."""
    taste = rng.normal(0, 0.3, (users, len(GENRES)))
    order = rng.permuted(np.tile(np.arange(len(GENRES)), (users, 1)), axis=1)
    rows = np.arange(users)[:, None]
    taste[rows, order[:, :2]] = _LOVED
    taste[rows, order[:, 2:4]] = _DISLIKED
    return taste


def _activity(rng: np.random.Generator, users: int) -> Float:
    """How often each user comes: a probability per visit, a few come much more than most."""
    weight = rng.lognormal(0, 0.7, users)
    probability: Float = weight / weight.sum()
    return probability
