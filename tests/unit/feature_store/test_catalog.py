"""Definitions that cannot work are refused at start, with a message that names what to change."""

from dataclasses import replace

import pytest

from feature_store.aggregators import Age, Count, DecayedSum, IdSet, LastValue, MultiAttribute, RecentIds
from feature_store.catalog import Catalog, InvalidDefinition, load_catalog
from feature_store.views import (
    Feature,
    FeatureView,
    IdColumn,
    ItemAttribute,
    Rate,
    Recents,
    ServiceDefinition,
)

CLICKS = Feature("clicks", Count("interaction/click"))
ITEM = FeatureView("item", "item", (CLICKS,))
USER = FeatureView("user", "user", (CLICKS,))
ATTRIBUTE = ItemAttribute("runtime")
SERVICE = ServiceDefinition(
    "s", ("user.clicks",), ("item.clicks", "attribute.runtime"), (IdColumn("u", "user_id"),)
)

CLICKED = FeatureView(
    "last", "user", (Feature("clicked", RecentIds("interaction/click", "item_hash", 3)), CLICKS)
)
RECENTS = Recents("clicked", "last.clicked", "i", ("c",))
WITH_RECENTS = replace(
    SERVICE, ids=(IdColumn("i", "item_id"), IdColumn("c", "creator_id")), recents=(RECENTS,)
)


def catalog(*views: FeatureView, service: ServiceDefinition = SERVICE) -> Catalog:
    return Catalog(views or (ITEM, USER), (ATTRIBUTE,), (service,))


def refusal(*views: FeatureView, service: ServiceDefinition = SERVICE) -> str:
    with pytest.raises(InvalidDefinition) as refused:
        catalog(*views, service=service)
    return str(refused.value)


def of_item(*features: Feature, **changes) -> FeatureView:
    return replace(ITEM, features=features, **changes)


def test_definitions_that_fit_are_accepted():
    service = catalog().service("s")
    assert (service.user, service.candidate) == (("user.clicks",), ("item.clicks", "attribute.runtime"))


@pytest.mark.parametrize(
    ("event", "entity", "message"),
    [
        (
            "impresion",
            "item",
            "there is no event 'impresion'; there are item, item_removed, user, impression, ",
        ),
        ("interaction/Click", "item", "there is no event 'interaction/Click'"),
        ("user", "item", "event 'user' names no item, so it never reaches entity 'item'"),
        ("item", "user|creator", "event 'item' names no user, so it never reaches entity 'user|creator'"),
    ],
)
def test_an_event_that_can_never_come_is_refused(event, entity, message):
    view = FeatureView("v", entity, (Feature("f", Count(event)),))
    assert message in refusal(ITEM, USER, view)


@pytest.mark.parametrize(
    ("event", "entity"),
    [
        ("item", "creator"),
        ("item_removed", "item"),
        ("user", "user"),
        ("interaction/*", "user|genres"),
        ("interaction/like", "user|creator"),
    ],
)
def test_an_event_that_can_come_is_accepted(event, entity):
    view = FeatureView("v", entity, (Feature("f", Count(event)),))
    assert catalog(ITEM, USER, view).view("v") is view


@pytest.mark.parametrize("column", ["items_hash", "attribute.", "attribute.tags[0]", "value2"])
def test_a_column_that_events_do_not_have_is_refused(column):
    refused = refusal(of_item(CLICKS, Feature("f", LastValue("impression", column))), USER)
    assert f"view item, feature f: events have no column {column!r}" in refused


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (of_item(CLICKS, CLICKS), "feature of view item clicks is declared twice"),
        (of_item(), "view item: it has no features"),
        (
            of_item(replace(CLICKS, name="Clicks!")),
            "view item, feature Clicks!: a name has lower-case letters",
        ),
        (of_item(replace(CLICKS, default=float("nan"))), "default must be a finite number, not nan"),
        (of_item(CLICKS, ttl_s=60), "all-time counts never expire, so it has no ttl_s"),
        (of_item(Feature("a", Age("impression")), ttl_s=0), "ttl_s must be positive, not 0"),
        (of_item(CLICKS, Feature("r", Rate("clicks", "views"))), "views is no counted feature of the view"),
        (
            of_item(CLICKS, Feature("r", Rate("clicks", "clicks")), Feature("q", Rate("r", "clicks"))),
            "view item, feature q: r is no counted feature of the view",
        ),
        (
            of_item(CLICKS, Feature("r", Rate("clicks", "clicks", prior_denominator=0.0))),
            "prior_denominator must be positive",
        ),
        (replace(ITEM, entity="film"), "entity 'film' is none of item, user, creator"),
        (replace(ITEM, entity="item|genres"), "a combined entity begins with user, not item"),
        (replace(ITEM, entity="user|"), "entity 'user|' is none of"),
    ],
)
def test_a_view_that_cannot_work_is_refused(view, message):
    assert message in refusal(view, USER)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"candidate": ("item.likes",)},
            "service s: there is no item.likes; there are item.clicks, user.clicks",
        ),
        ({"candidate": ("attribute.budget",)}, "there is no attribute.budget"),
        ({"candidate": ("item.clicks", "item.clicks")}, "column of service s item.clicks is declared twice"),
        ({"user": ("item.clicks",), "candidate": ()}, "item.clicks is no feature of the user"),
        ({"ids": (IdColumn("g", "attribute:genres"),)}, "id column g: there is no source 'attribute:genres'"),
        ({"ids": (IdColumn("g", "user_id"),) * 2}, "id column of service s g is declared twice"),
    ],
)
def test_a_service_that_cannot_work_is_refused(changes, message):
    assert message in refusal(service=replace(SERVICE, **changes))


def test_two_views_of_one_name_are_refused():
    assert "view item is declared twice" in refusal(ITEM, ITEM, USER)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RecentIds("impression", "item_hash", 0),
        lambda: IdSet("interaction/block_creator", "interaction/unblock_creator", "creator_hash", 0),
        lambda: MultiAttribute("item", "tags", -1),
    ],
)
def test_a_ring_without_places_is_refused(make):
    with pytest.raises(ValueError, match="k must be positive, not"):
        make()


def test_a_service_has_another_fingerprint_when_anything_it_reads_means_something_else():
    decayed = of_item(Feature("clicks", DecayedSum("interaction/click", 60)))
    slower = of_item(Feature("clicks", DecayedSum("interaction/click", 61)))
    other_order = replace(SERVICE, candidate=SERVICE.candidate[::-1])
    services = [
        catalog().service("s"),
        catalog(decayed, USER).service("s"),
        catalog(slower, USER).service("s"),
        catalog(service=other_order).service("s"),
        catalog(service=replace(SERVICE, ids=())).service("s"),
        Catalog((ITEM, USER), (replace(ATTRIBUTE, default=1.0),), (SERVICE,)).service("s"),
    ]
    assert len({service.fingerprint for service in services}) == len(services)


def test_a_fingerprint_does_not_depend_on_what_is_only_told_to_people():
    told = of_item(replace(CLICKS, unit="events", description="Clicks.", owner="me"), owner="me")
    assert told.fingerprint == ITEM.fingerprint
    assert catalog(told, USER).service("s").fingerprint == catalog().service("s").fingerprint


def test_recents_are_id_columns_behind_the_others():
    service = catalog(ITEM, USER, CLICKED, service=WITH_RECENTS).service("s")
    assert service.id_columns == ("i", "c", "clicked[0]", "clicked[1]", "clicked[2]")


def test_a_service_has_another_fingerprint_when_its_recents_mean_something_else():
    longer = replace(
        CLICKED, features=(Feature("clicked", RecentIds("interaction/click", "item_hash", 4)), CLICKS)
    )
    services = [
        catalog(ITEM, USER, view, service=replace(WITH_RECENTS, recents=recents)).service("s")
        for view, recents in (
            (CLICKED, ()),
            (CLICKED, (RECENTS,)),
            (longer, (RECENTS,)),
            (CLICKED, (replace(RECENTS, of="c"),)),
            (CLICKED, (replace(RECENTS, alike=()),)),
        )
    ]
    assert len({service.fingerprint for service in services}) == len(services)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "last.seen"}, "service s: there is no last.seen"),
        ({"source": "last.clicks"}, "recents clicked: last.clicks is no feature of the user with aggregator"),
        ({"source": "attribute.runtime"}, "recents clicked: attribute.runtime is no feature of the user"),
        ({"of": "film"}, "recents clicked: there is no id column 'film'; there are c, i"),
        ({"alike": ("c", "genre")}, "recents clicked: there is no id column 'genre'; there are c, i"),
        ({"name": "Clicked"}, "recents 'Clicked': a name has lower-case letters"),
    ],
)
def test_recents_that_cannot_work_are_refused(changes, message):
    recents = (replace(RECENTS, **changes),)
    assert message in refusal(ITEM, USER, CLICKED, service=replace(WITH_RECENTS, recents=recents))


def test_timeline_v1_has_64_dense_columns_8_id_columns_and_16_recent_ids():
    service = load_catalog().service("timeline_v1")
    assert len(service.user) + len(service.candidate) == 64
    assert [column.name for column in service.ids] == [
        *("user", "item", "creator"),
        *("genre_0", "genre_1", "genre_2"),
        *("tag_0", "tag_1"),
    ]
    assert service.id_columns[8:] == tuple(f"clicked[{place}]" for place in range(16))


def test_every_entity_has_the_two_counters_by_which_anyone_can_audit():
    shipped = load_catalog()
    for entity in shipped.entities:
        columns = [column for view in shipped.views_of(entity) for column in view.columns]
        assert columns.count("impression_count_total") == columns.count("click_count_total") == 1


def test_inputs_of_an_entity_are_those_of_all_its_views_each_once():
    shipped = load_catalog()
    assert shipped.entity_inputs("user") == ("item_hash", "creator_hash")
    assert shipped.entity_inputs("item") == ()
