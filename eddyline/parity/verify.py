"""One check of what was served last against the whole retained log."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice

from eddyline.parity.check import ParityCheck
from eddyline.parity.chosen import NamedEntities
from eddyline.parity.judge import Difference, Unverified, Verdict
from eddyline.parity.kafka_log import KafkaLog
from eddyline.parity.refold import Chosen
from feature_store.catalog import Catalog
from feature_store.items import ItemsFollower, ItemTable
from feature_store.schema.topics import RANK_SERVED
from ranker.hydrators.rows import item_columns
from ranker.pipeline.items import ItemColumns
from ranker.service.settings import RankerSettings
from streams.apps.features_settings import FeaturesSettings

LISTED = 20
"""Differences, and missing row versions, that a report lists; all are counted."""
_ITEMS_WITHIN_S = 120.0


class NothingServedError(RuntimeError):
    """`rank.served` has no request with features of the present definitions."""


@dataclass
class Report:
    """What a check found.

    Attributes
    ----------
    equal, different, unverified : rows, a row being the features of one candidate of one request
    by_feature : how many values of each feature differ
    reasons : how often a row version was missing, by reason
    """

    requests: int = 0
    equal: int = 0
    different: int = 0
    unverified: int = 0
    by_feature: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    missing: list[Unverified] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every row gave the same bits."""
        return self.different == self.unverified == 0

    def add(self, verdict: Verdict) -> None:
        """Count one request."""
        self.requests += 1
        self.equal += verdict.equal
        self.different += verdict.different
        self.unverified += verdict.unverified
        self.by_feature.update(difference.feature for difference in verdict.differences)
        self.reasons.update(unverified.reason for unverified in verdict.missing)
        self.differences += islice(verdict.differences, LISTED - len(self.differences))
        self.missing += islice(verdict.missing, LISTED - len(self.missing))


def verify(settings: RankerSettings, catalog: Catalog, messages: int) -> Report:
    """Check the last ``messages`` of each partition of `rank.served`.

    Raises
    ------
    NothingServedError
        When there is nothing to check.
    RetentionCutError
        When the log does not reach back to its beginning.
    confluent_kafka.KafkaException
        When the broker cannot be read.
    """
    chosen = NamedEntities()
    with following_items(settings, catalog) as items, closing(KafkaLog(settings)) as log:
        check = parity_check(settings, catalog, items, chosen)
        for _, _, payload in log.read(RANK_SERVED, log.newest_served(messages)):
            for case in check.cases(payload):
                for entity, entity_ids in check.take_in(case):
                    chosen.add(entity, entity_ids)
        check.fold(log, check.ends(log))
        return _report(check.judge(all_of_them=True))


@contextmanager
def following_items(settings: RankerSettings, catalog: Catalog) -> Iterator[ItemColumns]:
    """The items of `items`, all that there are and then those that come; raises what ends the read."""
    service = catalog.service(settings.rank_service)
    items, table = item_columns(catalog, service, settings.batch_partitions), ItemTable()
    table.subscribe(items.apply)
    with closing(ItemsFollower(settings, table)) as follower:
        follower.start()
        follower.wait_caught_up(_ITEMS_WITHIN_S)
        follower.raise_failure()
        if not follower.caught_up():
            raise TimeoutError(f"`items` was not read within {_ITEMS_WITHIN_S:.0f} s")
        yield items


def parity_check(
    settings: RankerSettings, catalog: Catalog, items: ItemColumns, chosen: Chosen
) -> ParityCheck:
    """A check of the service that is ranked by."""
    service, skipped = catalog.service(settings.rank_service), FeaturesSettings().skipped
    return ParityCheck(catalog, service, items, settings.batch_partitions, chosen, skipped)


def _report(verdicts: Iterable[Verdict]) -> Report:
    report = Report()
    for verdict in verdicts:
        report.add(verdict)
    if report.requests == 0:
        raise NothingServedError(
            "nothing to check: rank.served has no request that was served with these definitions"
        )
    return report
