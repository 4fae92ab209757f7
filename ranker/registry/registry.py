"""The model registry: numbered versions, and aliases that move by compare-and-set."""

from collections.abc import Mapping, Sequence

from feature_store.clock import Clock
from ranker.registry.aliases import ALIASES, Alias, AliasChange, Aliases
from ranker.registry.folders import ModelFolders
from ranker.registry.models import (
    Check,
    ModelId,
    ModelMetadata,
    RegistryError,
    RegistryUnavailable,
    need_features,
)
from ranker.registry.records import NoRecords, Records

COUNTERS = "counters"
"""Champion of an installation in which nobody has set one."""


class ModelRegistry:
    """Versions of all models of a deployment.

    Parameters
    ----------
    folders : the versions
    aliases : what points to them
    clock : dates versions and changes
    records : where people and other tools look versions up; serving never asks it
    """

    def __init__(
        self, folders: ModelFolders, aliases: Aliases, clock: Clock, records: Records | None = None
    ) -> None:
        self.folders = folders
        self._aliases = aliases
        self._clock = clock
        self._records = records or NoRecords()

    def reach_records(self) -> None:
        """Make sure that a version can be registered; raises as :meth:`register`, before there is one."""
        self._records.reach()

    def register(self, metadata: ModelMetadata, files: Mapping[str, bytes]) -> ModelMetadata:
        """Write a new version; no alias points to it yet. Returns the metadata with its number.

        Raises
        ------
        RegistryUnavailable
            The records cannot be reached; there is no such version then.
        """
        added = self.folders.add(metadata, files)
        try:
            self._records.add(added, self.folders.path(added.id))
        except RegistryUnavailable:
            self.folders.retire(added.id)
            raise
        return added

    def keep_checks(self, model: ModelId, checks: Sequence[Check]) -> None:
        """Keep what the gate found of a version, and show it where people look versions up."""
        self.folders.write_checks(model, checks)
        self._records.examine(model, checks)

    def champion_id(self) -> ModelId:
        """What serves, readable or not: the newest counter model where no champion was ever set.

        Raises
        ------
        RegistryError
            The aliases cannot be reached, or there is not even a counter model.
        """
        return self._aliases.get("champion") or self._named(COUNTERS)

    def resolve(self, alias: Alias) -> ModelMetadata | None:
        """The version behind an alias. A champion that was never set is the newest counter model."""
        model = self.champion_id() if alias == "champion" else self._aliases.get(alias)
        return None if model is None else self.folders.metadata(model)

    def find(self, text: str) -> ModelMetadata:
        """The version that ``name/version`` names, or the newest one of ``name``.

        Raises
        ------
        RegistryError
            There is none, or its folder is damaged.
        """
        return self.folders.metadata(self._named(text))

    def set_alias(self, alias: Alias, model: ModelId, *, expected: ModelId | None, reason: str) -> None:
        """Point an alias to a version, if it points to ``expected`` (None: was never set).

        Raises
        ------
        AliasConflict
            It points elsewhere; nothing was changed.
        RegistryError
            The version does not exist, is damaged or did not pass the gate, or the aliases cannot be reached.
        """
        self._need_passed(model)
        self._move(self._change(alias, model, expected, reason))

    def promote(
        self, model: ModelId, *, expected: ModelId, reason: str, fingerprint: str | None = None
    ) -> None:
        """Make ``model`` the champion and what it replaces, ``expected``, the rollback, both or neither.

        ``expected`` may be damaged or gone: it is not read. Raises as :meth:`set_alias`.

        Parameters
        ----------
        fingerprint : of the features that rankers read; a version made for others is refused. None: whatever
        """
        self._need_passed(model)
        if fingerprint is not None:
            need_features(self.folders.metadata(model), fingerprint)
        changes = [self._change("champion", model, self._set_champion(expected), reason)]
        if model != expected:
            told = f"replaced by {model}: {reason}"
            changes.append(self._change("rollback", expected, self._aliases.get("rollback"), told))
        self._move(*changes)

    def aliased(self) -> frozenset[ModelId]:
        """Every version that an alias points to."""
        return frozenset(self.aliases().values())

    def history(self) -> list[AliasChange]:
        """Changes of aliases, newest first."""
        return self._aliases.history()

    def champion_at(self, taken_ms: int, now_ms: int) -> ModelMetadata:
        """The champion of ``now_ms``, had promotions since ``taken_ms`` not been taken over yet.

        Going back, to an older version or to the counters, is never waited for.

        Raises
        ------
        RegistryUnavailable
            The aliases cannot be reached.
        RegistryError
            A version of the history does not exist.
        """
        newest_first = [change for change in self.history() if change.alias == "champion"]
        changes = [change for change in reversed(newest_first) if change.time_ms <= now_ms]
        later = [change for change in changes if change.time_ms > taken_ms]
        if later:
            served = later[0].previous
        elif changes:
            served = changes[-1].model
        else:
            served = newest_first[-1].previous if newest_first else None
        for change in later:
            if self._goes_back(change):
                served = change.model
        return self.find(served or COUNTERS)

    def taken_back(self) -> AliasChange | None:
        """The last change of the champion, if an older version than before became it, or the counters."""
        last = next((change for change in self.history() if change.alias == "champion"), None)
        return last if last is not None and self._goes_back(last) else None

    def roll_back(self, *, reason: str, fingerprint: str | None = None) -> ModelId:
        """Make the version behind `rollback` the champion again; returns it.

        Parameters
        ----------
        fingerprint : as of :meth:`promote`

        Raises
        ------
        RegistryError
            There is none, it was made for other features, somebody else moved the champion meanwhile, or
            the aliases cannot be reached.
        """
        target = self._aliases.get("rollback")
        if target is None:
            raise RegistryError("there is nothing to roll back to: no champion was ever replaced")
        self.promote(target, expected=self.champion_id(), reason=reason, fingerprint=fingerprint)
        return target

    def aliases(self) -> dict[Alias, ModelId]:
        """Where each alias that was set points."""
        return {alias: model for alias in ALIASES if (model := self._aliases.get(alias)) is not None}

    def versions(self) -> list[ModelMetadata]:
        """Every version that may be served, by name, oldest first."""
        return [self.folders.metadata(model) for model in self.version_ids()]

    def version_ids(self) -> list[ModelId]:
        """Every version that may be served, readable or not, by name, oldest first."""
        return [ModelId(name, each) for name in self.folders.names() for each in self.folders.versions(name)]

    def ancestry(self, text: str) -> list[ModelMetadata]:
        """The version that ``text`` names, the one whose weights it went on from, and so on, as far as kept.

        Raises
        ------
        RegistryError
            There is no such version.
        """
        found = [self.find(text)]
        while (made := found[-1].lineage) is not None and made.parent is not None:
            parent = ModelId.parse(made.parent)
            if not self.folders.has(parent):
                break
            found.append(self.folders.metadata(parent))
        return found

    def _named(self, text: str) -> ModelId:
        """``name/version``, or the newest version of ``name``; raises as :meth:`find`."""
        if "/" in text:
            return ModelId.parse(text)
        versions = self.folders.versions(text)
        if not versions:
            known = ", ".join(self.folders.names()) or "none; run python -m ranker.registry.bootstrap"
            raise RegistryError(f"no version of model {text!r}; models there: {known}")
        return ModelId(text, versions[-1])

    def _goes_back(self, change: AliasChange) -> bool:
        """Whether an older version than before became the champion, or the counters, to fall back to."""
        if change.previous is None:
            return False
        before, now = ModelId.parse(change.previous), ModelId.parse(change.model)
        if now.name == COUNTERS:
            return True
        if now.name == before.name:  # numbers are given in order, also to versions that are damaged by now
            return int(now.version) < int(before.version)
        return self.folders.metadata(now).created_time_ms < self.folders.metadata(before).created_time_ms

    def _change(self, alias: Alias, model: ModelId, expected: ModelId | None, reason: str) -> AliasChange:
        previous = str(expected) if expected else None
        return AliasChange(alias, str(model), previous, reason, self._clock.now_ms())

    def _move(self, *changes: AliasChange) -> None:
        """Move aliases together; the records, which may be slow or down, are told once all point right."""
        self._aliases.compare_and_set(*changes)
        for change in changes:
            self._records.point(change.alias, ModelId.parse(change.model))

    def _need_passed(self, model: ModelId) -> None:
        if self.folders.metadata(model).lineage is None:
            return
        checks = self.folders.checks(model)
        if checks is None:
            raise RegistryError(f"model {model} has not been through the gate")
        if failed := [str(check) for check in checks if not check.passed]:
            raise RegistryError(f"model {model} did not pass the gate: {'; '.join(failed)}")

    def _set_champion(self, expected: ModelId) -> ModelId | None:
        """What to expect of an alias of which ``expected`` may be the default only."""
        unset = self._aliases.get("champion") is None
        return None if unset and expected == self._named(COUNTERS) else expected
