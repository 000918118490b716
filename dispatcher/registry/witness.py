"""Which plugin resolved, objected and changed what."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from dispatcher.models import Attachment, Payload, Problem
from dispatcher.registry.loading import PluginInfo


class Resolution(NamedTuple):
    """What a plugin said a source is."""

    plugin: PluginInfo
    attachment: Attachment


class Change(NamedTuple):
    """A payload before and after a plugin changed it."""

    plugin: PluginInfo
    before: Payload
    after: Payload


class Witness:
    """Sees what plugins answer. Sources by their text, everything else by a message's key."""

    def __init__(self) -> None:
        self.sources: dict[str, Resolution] = {}
        self.objections: defaultdict[str, list[tuple[PluginInfo, Problem]]] = defaultdict(list)
        self.changes: defaultdict[str, list[Change]] = defaultdict(list)

    def resolved(self, source: str, plugin: PluginInfo, attachment: Attachment) -> None:
        """A plugin answered what a source is."""
        self.sources[source] = Resolution(plugin, attachment)

    def objected(self, key: str, plugin: PluginInfo, problem: Problem) -> None:
        """A plugin has a problem with a message."""
        self.objections[key].append((plugin, problem))

    def transformed(self, key: str, plugin: PluginInfo, before: Payload, after: Payload) -> None:
        """A plugin was given a payload, and left it as it is `after`."""
        if before != after:
            self.changes[key].append(Change(plugin, before, after))
