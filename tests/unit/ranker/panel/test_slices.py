"""Slices of users: read off a row by the ranker, logged, and scored apart by the panel."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from feature_store.catalog import InvalidDefinition, read_catalog
from feature_store.definition_files import SHIPPED
from feature_store.schema.served import decode_served, encode_served
from feature_store.slices import MOST_SLICES, Slicing
from ranker.hydrators.slices import UserSlices
from ranker.panel.settings import PanelSettings
from ranker.panel.users import LOOK_AGAIN_EPOCHS, PanelUsers, slices_of
from ranker.service.wiring import open_knowledge
from tests.unit.docs.pages import blocks
from tests.unit.ranker.panel.sliced_world import (
    BY_COUNTRY,
    DE,
    KEPT,
    NL,
    OTHER,
    PROFILE,
    profile,
    served,
)
from tests.unit.ranker.panel.test_panel import EPOCH, Panels
from tests.unit.ranker.world import CATALOG, World


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (profile(country="NL"), NL),
        (profile(country="DE", plan=7.0), DE),
        (profile(country="FR"), OTHER),
        (profile(plan="NL"), OTHER),
        (None, OTHER),
    ],
)
def test_the_slice_of_a_user_is_logged_with_every_row(stored, expected):
    world = World()
    ids = world.announce(3)
    if stored is not None:
        world.put(PROFILE, "u1", stored)
    messages = encode_served([served(world, "u1", ids)])
    rows = [row for message in messages for row in decode_served(message).to_pylist()]
    assert [row["user_slice"] for row in rows] == [expected] * 3


def test_users_who_are_not_told_apart_and_answers_without_rows_have_no_slice():
    world = World()
    ids = world.announce(3)
    world.put(PROFILE, "u1", profile(country="NL"))
    assert served(world, "u1", ids, None).user_slice is None
    assert served(world, "u1", ids).user_slice == NL
    batch = world.items.batch(ids, world.items.rows_of(ids), np.zeros(3, np.int32), ("request",))
    assert world.hydrator.blank(world.query(ids), batch).user_slice is None


def test_numbers_are_values_too():
    slices = UserSlices(KEPT, Slicing("plan", ("2", "free")))
    found = [slices.of(profile(plan=value)) for value in (2.0, "free", 3.0)]
    assert found == ["plan=2", "plan=free", "plan=other"]


@pytest.mark.parametrize("attribute", ["contry", "languages", "clicked"])
def test_an_attribute_that_no_view_of_the_user_keeps_is_refused_with_those_there_are(attribute):
    with pytest.raises(InvalidDefinition, match=rf"EDDYLINE_SLICE_BY.*'{attribute}'.*kept are country, plan"):
        UserSlices(KEPT, Slicing(attribute, ("x",)))


def test_the_view_of_the_documentation_keeps_what_its_settings_ask_for(tmp_path):
    shutil.copytree(
        SHIPPED, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    (view,) = blocks("docs/loops-in-production.md", "toml")
    (tmp_path / "profile.toml").write_text(view)
    (exports,) = [code for code in blocks("docs/loops-in-production.md", "sh") if "SLICE_BY" in code]
    asked = {name.lower(): value for name, value in re.findall(r"EDDYLINE_(\w+)=(\S+)", exports)}
    settings = PanelSettings(**asked)
    slices = open_knowledge(settings, read_catalog(tmp_path)).slices
    assert [slices.of(profile(country=country)) for country in ("FR", "PL")] == [
        "country=FR",
        settings.slices[-1],
    ]


def test_where_nothing_is_kept_of_users_the_message_says_what_to_declare():
    settings = PanelSettings(slice_by="country", slice_values="NL")
    with pytest.raises(InvalidDefinition, match=r"kept are none. .*last_value.*attribute.country"):
        open_knowledge(settings, CATALOG)
    assert open_knowledge(PanelSettings(), CATALOG).slices is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"slice_values": "NL"}, "EDDYLINE_SLICE_BY"),
        ({"slice_by": "country"}, "no value of 'country' is named"),
        ({"slice_by": "country", "slice_values": "NL, DE,NL"}, "must differ"),
        ({"slice_by": "country", "slice_values": "NL,other"}, "everybody else"),
        (
            {"slice_by": "country", "slice_values": ",".join(f"c{n}" for n in range(MOST_SLICES))},
            f"at most {MOST_SLICES}",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        PanelSettings(**settings)


def test_slices_are_named_in_the_order_of_the_setting():
    assert PanelSettings(slice_by="country", slice_values="NL, DE ").slices == (NL, DE, OTHER)
    assert PanelSettings().slices == ()


def test_the_panel_scores_each_slice_for_users_of_its_own():
    panels = Panels(slices=BY_COUNTRY.names)
    panels.publish({NL: ("u1", "u2"), OTHER: ("u3",)})
    for name, users in ((NL, ("u1", "u2")), (OTHER, ("u3",))):
        alone, mine = Panels().published(*users), panels.log.by_item(name)
        assert {item: (raw, nudge) for item, (raw, _, nudge) in mine.items()} == {
            item: (raw, nudge) for item, (raw, _, nudge) in alone.items()
        }
        assert all((mine[item][1] == alone[item][1]).all() for item in alone)
    assert panels.log.by_item(DE) == {}
    headers = {rows.header for rows in panels.log.rows.values()}
    assert {(each.user_slice, each.users, each.items) for each in headers} == {(NL, 2, 12), (OTHER, 1, 12)}
    assert {each.slices for each in headers} == {BY_COUNTRY.names}


def test_one_slice_scores_bit_for_bit_what_all_users_do():
    sliced, plain = Panels(slices=(NL,)), Panels()
    sliced.publish({NL: ("u1", "u2")})
    expected = plain.published("u1", "u2")
    found = sliced.log.by_item(NL)
    assert {item: (raw, each.tobytes(), nudge) for item, (raw, each, nudge) in found.items()} == {
        item: (raw, each.tobytes(), nudge) for item, (raw, each, nudge) in expected.items()
    }


def test_while_nobody_of_any_slice_is_known_there_is_nothing_to_score():
    assert Panels(slices=BY_COUNTRY.names).panel.read(EPOCH, {}).empty
    assert not Panels().panel.read(EPOCH, {}).empty


def test_users_of_each_slice_are_drawn_by_the_salt():
    served = {f"u{n}": (NL, DE, OTHER)[n % 3] for n in range(60)}
    drawn = PanelUsers(BY_COUNTRY.names, lambda: served, b"salt", 4).of_next_epoch()
    assert list(drawn) == [NL, DE, OTHER]
    assert all(
        len(users) == 4 and {served[user] for user in users} == {name} for name, users in drawn.items()
    )
    assert drawn != PanelUsers(BY_COUNTRY.names, lambda: served, b"pepper", 4).of_next_epoch()
    everybody = PanelUsers((), lambda: served, b"salt", 4).of_next_epoch()
    assert list(everybody) == [""]
    assert {user for users in drawn.values() for user in users} >= set(everybody[""])


def test_users_once_drawn_stay_and_slices_without_are_looked_for_again_now_and_then():
    known, looks = {"u1": NL}, []
    users = PanelUsers(BY_COUNTRY.names, lambda: looks.append(1) or dict(known), b"salt", 4)
    assert users.of_next_epoch() == {NL: ["u1"]}
    known |= {"u2": NL, "u3": DE}
    epochs = [users.of_next_epoch() for _ in range(LOOK_AGAIN_EPOCHS)]
    assert epochs[:-1] == [{NL: ["u1"]}] * (LOOK_AGAIN_EPOCHS - 1)
    assert epochs[-1] == {NL: ["u1"], DE: ["u3"]}
    assert len(looks) == 2


def test_while_nobody_was_served_users_are_looked_for_in_every_epoch():
    known: dict[str, str] = {}
    for slices in ((), BY_COUNTRY.names):
        known.clear()
        users = PanelUsers(slices, lambda: dict(known), b"salt", 4)
        assert users.of_next_epoch() == users.of_next_epoch() == {}
        known["u1"] = DE
        assert users.of_next_epoch() == {DE if slices else "": ["u1"]}


def test_a_user_is_in_the_slice_that_was_logged_last():
    world = World()
    request = served(world, "u1", world.announce(3))
    moved, degraded = replace(request, user_slice=DE), replace(request, user_slice=None)
    unknown = replace(request, user_id="u2", user_slice=None)
    messages = [
        decode_served(each) for one in (request, moved, degraded, unknown) for each in encode_served([one])
    ]
    assert slices_of(messages) == {"u1": DE, "u2": ""}
