"""Puts the panel together: the ranker's own parts, without its front doors."""

from contextlib import ExitStack
from dataclasses import dataclass

from feature_store.catalog import Catalog
from feature_store.clock import Clock
from feature_store.definitions.lineage import allowed_gains
from feature_store.online.switches import open_switches
from feature_store.schema.assignments import NUDGES
from ranker.experiments.nudge import Nudges
from ranker.experiments.switches import SwitchWatcher
from ranker.panel.log import KafkaPanelLog
from ranker.panel.panel import Panel, watched_columns
from ranker.panel.scoring import PanelScorer
from ranker.panel.settings import PanelSettings
from ranker.panel.users import PanelUsers, users_served
from ranker.policies.config import load_policy
from ranker.policies.value_model import ValueModel
from ranker.registry.watcher import ChampionWatcher
from ranker.service.releases import open_releases, open_watcher
from ranker.service.wiring import Knowledge, make_hydrator, open_knowledge
from ranker.triton.base import InferenceClient
from ranker.triton.connect import open_inference


@dataclass(frozen=True, slots=True)
class Parts:
    """What a panel runs on.

    Attributes
    ----------
    users : the panel's users, drawn among those served lately
    """

    knowledge: Knowledge
    client: InferenceClient
    watcher: ChampionWatcher
    panel: Panel
    users: PanelUsers


def open_parts(settings: PanelSettings, catalog: Catalog, clock: Clock, stack: ExitStack) -> Parts:
    """Open everything; ``stack`` closes it."""
    knowledge = open_knowledge(settings, catalog)
    knowledge.follower.start()
    stack.callback(knowledge.follower.close)
    fingerprint = knowledge.service.fingerprint
    client = open_inference(settings, fingerprint)
    stack.callback(client.close)
    releases = open_releases(settings, clock, stack)
    watcher = open_watcher(
        settings, client, fingerprint, clock, stack, pinned=settings.model, releases=releases
    )
    switches = SwitchWatcher(open_switches(settings, settings.redis_timeout_ms), clock)
    switches.start()
    stack.callback(switches.close)
    salt = settings.nudge_salt.get_secret_value().encode()
    panel = make_panel(settings, knowledge, client, switches, clock)
    users = PanelUsers(settings.slices, lambda: users_served(settings), salt, settings.panel_users)
    return Parts(knowledge, client, watcher, panel, users)


def make_panel(
    settings: PanelSettings,
    knowledge: Knowledge,
    client: InferenceClient,
    switches: SwitchWatcher,
    clock: Clock,
) -> Panel:
    """The panel over the items and features that rankings are made from."""
    hydrator = make_hydrator(settings, knowledge)
    watched = watched_columns(knowledge.service.candidate, hydrator, knowledge.items, clock)
    value = ValueModel(load_policy(settings.rank_policy).value)
    return Panel(
        knowledge.items,
        hydrator,
        PanelScorer(client, value, watched, settings.panel_rows, settings.panel_model_timeout_ms),
        Nudges(settings.nudge_salt.get_secret_value().encode(), settings.nudge_delta),
        KafkaPanelLog(settings),
        clock,
        features=watched.names,
        allowed_gains=allowed_gains(knowledge.catalog, watched.names),
        epoch_ms=settings.nudge_epoch_ms,
        items_max=settings.panel_items,
        nudges_on=lambda: NUDGES not in switches.off(),
        slices=settings.slices,
    )
