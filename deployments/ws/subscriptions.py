"""What one socket listens to: lanes by chain, patterns, and the resumes that are under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from deployments.ws.channels import Key, is_pattern, matcher
from deployments.ws.hub import Hub
from deployments.ws.lane import Chain, Lane
from deployments.ws.outbox import Outbox


class PatternSubscription:
    """`*.BINANCE` on a channel. `live` says from which offset on, per partition."""

    def __init__(self, owner: Subscriptions, channel: str, variant: str, text: str) -> None:
        self.channel = channel
        self.variant = variant
        self.text = text
        self.live: dict[str, int] = {}
        self.last_known: dict[Key, int] = {}
        """Where chains that have not joined yet link back to (on resume)."""
        self._owner = owner
        self.fits: Callable[[str], bool] = matcher(text)

    def takes(self, key: Key) -> bool:
        return (self.channel, self.variant) == (key.channel, key.variant) and self.fits(key.instrument)

    def lane_for(self, instrument: str, partition: str) -> Lane | None:
        if partition not in self.live or not self.fits(instrument):
            return None
        key = Key(self.channel, instrument, self.variant)
        known = self._owner.lanes.get(key)
        if known is not None:
            return known if known.attached else None
        lane = self.new_lane(key, partition)
        lane.floor = self.live[partition]
        lane.attached = True
        self._owner.joined(lane)
        return lane

    def new_lane(self, key: Key, partition: str) -> Lane:
        lane = self._owner.new_lane(key, partition)
        lane.chain.last = self.last_known.pop(key, lane.chain.last)
        return lane


class Subscriptions:
    """Owned by a session; every change is synchronous."""

    def __init__(self, hub: Hub, outbox: Outbox) -> None:
        self.lanes: dict[Key, Lane] = {}
        self.explicit: set[Key] = set()
        self.patterns: dict[tuple[str, str, str], PatternSubscription] = {}
        self.reading: dict[object, tuple[str, int]] = {}
        """Resumes under way: (partition, offset reached)."""
        self.feeds = False
        """The states of feeds are wanted (`status` without instruments)."""
        self._hub = hub
        self._outbox = outbox
        self._chains: dict[tuple[str, ...], Chain] = {}

    def __len__(self) -> int:
        return len(self.explicit) + len(self.patterns)

    def joined(self, lane: Lane) -> None:
        """An instrument has joined a pattern while live; sessions override what happens then."""

    def new_lane(self, key: Key, partition: str) -> Lane:
        """A lane that begins anew (`prev` null), in the place of the one there was."""
        self.drop(key)
        name = _chain_of(key)
        others = any(_chain_of(lane) == name for lane in self.lanes) if key.variant else False
        if not others:
            self._chains.pop(name, None)
        chain = self._chains.setdefault(name, Chain())
        lane = self.lanes[key] = Lane(key, partition, self._outbox, chain)
        return lane

    def add_pattern(self, channel: str, variant: str, text: str) -> PatternSubscription:
        """A pattern given again begins anew."""
        self.drop_pattern(channel, variant, text)
        added = PatternSubscription(self, channel, variant, text)
        self.patterns[(channel, variant, text)] = added
        self._hub.add_pattern(added)
        return added

    def remove(self, channel: str, instruments: Iterable[str], variant: str | None) -> list[str]:
        """Ids and patterns, or everything of the channel where none are named -> what was removed."""
        named = set(instruments)
        removed: list[str] = []
        for key in [key for key in self.explicit if _is_of(key[0], key[2], channel, variant)]:
            if not named or key.instrument in named:
                self.explicit.discard(key)
                removed.append(key.instrument)
        for at in [at for at in self.patterns if _is_of(at[0], at[1], channel, variant)]:
            if not named or at[2] in named:
                self.drop_pattern(*at)
                removed.append(at[2])
        self._drop_unwanted(channel)
        return removed

    def drop(self, key: Key) -> None:
        lane = self.lanes.pop(key, None)
        if lane is not None:
            self._hub.detach(lane)
            lane.attached = lane.waiting = False
            self._outbox.forget(lane)

    def drop_pattern(self, channel: str, variant: str, text: str) -> None:
        found = self.patterns.pop((channel, variant, text), None)
        if found is not None:
            found.live.clear()
            self._hub.remove_pattern(found)

    def clear(self) -> None:
        for at in list(self.patterns):
            self.drop_pattern(*at)
        for key in list(self.lanes):
            self.drop(key)
        self.explicit.clear()

    def fitting(self, channel: str, variant: str) -> Iterator[PatternSubscription]:
        return (
            found for found in self.patterns.values() if found.channel == channel and found.variant == variant
        )

    def _drop_unwanted(self, channel: str) -> None:
        for key in [key for key in self.lanes if key.channel == channel and key not in self.explicit]:
            if not any(found.fits(key.instrument) for found in self.fitting(channel, key.variant)):
                self.drop(key)


def _chain_of(key: Key) -> tuple[str, ...]:
    """All intervals of bars share a chain; each indicator has its own, for several come of one bar."""
    return key if key.channel == "indicators" else key[:2]


def _is_of(channel: str, variant: str, wanted: str, wanted_variant: str | None) -> bool:
    return channel == wanted and wanted_variant in (None, variant)


def split(instruments: Iterable[str]) -> tuple[list[str], list[str]]:
    """Names and patterns, each once, in the order given."""
    unique = list(dict.fromkeys(instruments))
    return [text for text in unique if not is_pattern(text)], [text for text in unique if is_pattern(text)]
