"""The providers of a reference instrument, each judged by the others.

Every provider's samples are a stream of their own, with its own habit of moving, resting and speaking; what
leaves that habit is judged as a print at a venue is (`prints`), with the other providers as witnesses. Here
the others are all there is, so a verdict waits 3 s for what they say next: feeds differ by a delay. Without
a witness nothing is told. A move that most providers make, the one in question included, is the market's;
of one provider alone it is that provider's error.

Everything changes with samples, in the fold: silence is noticed when another provider speaks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from domain.anomalies.found import AnomalyFound, Evidence, Finding, severity
from domain.anomalies.prints import Testimony
from domain.anomalies.stillness import LONGEST_LEARNT_NS, Pulse, Stillness
from domain.anomalies.trade_detector import COOL_DOWN_NS, TradeDetector, TradeDetectorState
from domain.anomalies.values import price_fault
from domain.clock import NS_PER_MIN, NS_PER_S
from domain.market.calendars import is_open, same_session
from domain.market.reference_price import MAX_PROVIDERS, ReferencePrice, Witnesses

WAIT_NS = 3 * NS_PER_S
"""Between a print and its verdict; also how much earlier the others may have moved."""
SETTLING_NS = NS_PER_MIN
RETURNS = 0.5
"""Share of its distance to the others that a move may leave to be the end of a deviation."""
MOVES = frozenset({"price_spike", "outlier", "decimal_slip", "split"})
OF_THE_EVENT = frozenset({"price_spike", "outlier"})
"""Right after a move of the market the providers' paths differ: no news."""
UNKNOWN_SIZES = frozenset({"size_outside", "usual_size", "trades_outside"})
NOTHING: tuple[AnomalyFound, ...] = ()


class PanelistState(Struct, frozen=True, array_like=True):
    provider: str
    cut_off: bool
    stillness: Stillness
    pulse: Pulse
    prices: TradeDetectorState


class PanelState(Struct, frozen=True, array_like=True):
    event_until: int
    panelists: tuple[PanelistState, ...]


class _Panelist:
    """One provider; as the surroundings of its own prices it asks the others.

    `cut_off`: our connection to it was lost, nothing heard since.
    """

    __slots__ = (
        *("cut_off", "instrument", "moves", "prices", "provider", "pulse", "reference", "says", "stillness"),
    )

    def __init__(self, provider: str, instrument: str, reference: ReferencePrice) -> None:
        self.provider = provider
        self.instrument = instrument
        self.reference = reference
        self.prices = TradeDetector(self)
        self.pulse = Pulse()
        self.stillness = Stillness()
        self.cut_off = False
        self.says = Witnesses(0, 0, 0.0)
        self.moves: dict[str, float] = {}
        """What the others said for the verdict in hand: told at once, and no state."""

    def mid(self, ts: int) -> float:
        return math.nan

    def settled_mid(self) -> float:
        return math.nan

    def unsettled(self, ts: int) -> bool:
        return is_open(self.instrument, ts) and not is_open(self.instrument, ts - SETTLING_NS)

    def testimony(self, move: float, since: int, now: int) -> Testimony:
        begin = since - WAIT_NS
        says = self.says = self.reference.witnesses(move, since=begin, now=now, besides=self.provider)
        self.moves = self.reference.moves(since=begin, now=now, besides=self.provider)
        most = says.confirm > 0 and says.confirm + 1 > says.deny
        confirm = says.confirm + 1 if most else 0
        return Testimony(math.nan, confirm, says.deny, ready=now - since >= WAIT_NS)

    def snapshot(self) -> PanelistState:
        return PanelistState(
            self.provider, self.cut_off, replace(self.stillness), replace(self.pulse), self.prices.snapshot()
        )

    def restore(self, state: PanelistState) -> None:
        self.cut_off = state.cut_off
        self.stillness, self.pulse = replace(state.stillness), replace(state.pulse)
        self.prices.restore(state.prices)


class Panel:
    """`observe` each sample that the reference has taken, in the order of arrival. At most 16 providers."""

    __slots__ = ("_event_until", "_instrument", "_panelists", "_reference")

    def __init__(self, instrument: str, reference: ReferencePrice) -> None:
        self._instrument = instrument
        self._reference = reference
        self._panelists: dict[str, _Panelist] = {}
        self._event_until = 0

    def observe(self, provider: str, price: float, ts: int, clock: int) -> Sequence[AnomalyFound]:
        """`ts`: event time, `clock`: the feed's; ns UTC. No price (0, NaN ...) may come too."""
        panelist = self._panelists.get(provider)
        if panelist is None:
            if len(self._panelists) >= MAX_PROVIDERS:
                return NOTHING
            panelist = self._panelists[provider] = _Panelist(provider, self._instrument, self._reference)
        told = [self._record(each, panelist, clock) for each in self._moved(panelist, price, ts)]
        if price_fault(price) is None:
            self._beat(panelist, ts)
            told += [self._record(each, panelist, clock) for each in self._still(panelist, ts)]
            told += self._silent(provider, ts, clock)
        return told

    def cut_off(self, provider: str) -> None:
        """Our own connection to it was lost: until it speaks its silence is no news."""
        if provider in self._panelists:
            self._panelists[provider].cut_off = True

    def _beat(self, panelist: _Panelist, ts: int) -> None:
        panelist.pulse.beat(ts, usual=not panelist.cut_off)
        panelist.cut_off = False

    def _moved(self, panelist: _Panelist, price: float, ts: int) -> list[Finding]:
        found = panelist.prices.observe(ts, price, 1.0, None) or ()
        return [each for each in found if each.kind == "bad_value" or self._told(panelist, each, ts)]

    def _told(self, panelist: _Panelist, finding: Finding, ts: int) -> bool:
        """One event of the market is one anomaly, whoever saw it first and whatever follows from it."""
        if finding.kind not in MOVES or panelist.says.confirm + panelist.says.deny == 0:
            return False
        during = ts < self._event_until
        if finding.verdict == "market_event":
            self._event_until = ts + COOL_DOWN_NS
            return not during
        if during and (finding.kind in OF_THE_EVENT or finding.verdict == "unclear"):
            return False
        return not self._returns(panelist, finding, ts)

    def _returns(self, panelist: _Panelist, finding: Finding, ts: int) -> bool:
        """Whether it led to where the others are: the end of a deviation, no error of its own."""
        others = self._reference.others_price(ts, besides=panelist.provider)
        if others is None:
            return False
        before, after = finding.evidence["before"], finding.evidence["extreme"]
        return abs(math.log(after / others)) < RETURNS * abs(math.log(before / others))

    def _still(self, panelist: _Panelist, ts: int) -> list[Finding]:
        """Speaks, but always says the same while the others move."""
        prices, still = panelist.prices, panelist.stillness
        if prices.bucket_start != ts:
            return []
        moved, prices.moved = prices.moved, False
        if not still.observe(panelist.pulse.before, ts, prices.rows, moved=moved):
            return []
        moving, resting = self._reference.moving(since=still.since, now=ts, besides=panelist.provider)
        if moving <= resting or not is_open(self._instrument, ts):
            return []
        still.told = True
        seconds = (ts - still.since) / NS_PER_S
        evidence = {
            "still_s": seconds,
            "needed_s": still.needed_ns / NS_PER_S,
            "updates": float(still.run_updates),
            "providers_moving": float(moving),
            "providers_resting": float(resting),
        }
        score = severity(seconds * NS_PER_S, still.needed_ns)
        return [Finding("frozen_feed", "data_error", score, prices.rows, still.since, evidence)]

    def _silent(self, speaker: str, ts: int, clock: int) -> list[AnomalyFound]:
        """Who has said nothing for too long while the others move."""
        told = []
        for name, each in sorted(self._panelists.items()):
            deadline = each.pulse.deadline
            if name == speaker or each.cut_off or deadline is None or deadline > ts:
                continue
            finding = self._silence(each, ts)
            if finding is not None:
                each.pulse.told = True
                told.append(self._record(finding, each, clock))
        return told

    def _silence(self, panelist: _Panelist, ts: int) -> Finding | None:
        """None for a closed session, or a provider that left long ago: what it told was of another time."""
        pulse = panelist.pulse
        silent_ns = ts - pulse.last
        moving, resting = self._reference.moving(since=pulse.last, now=ts, besides=panelist.provider)
        if moving <= resting or silent_ns > pulse.patience_ns + LONGEST_LEARNT_NS:
            return None
        if not same_session(self._instrument, pulse.last, ts):
            return None
        evidence = {
            "silence_s": silent_ns / NS_PER_S,
            "needed_s": pulse.patience_ns / NS_PER_S,
            "longest_before_s": pulse.longest_ns / NS_PER_S,
            "providers_moving": float(moving),
            "providers_resting": float(resting),
        }
        score = severity(float(silent_ns), pulse.patience_ns)
        return Finding("frozen_feed", "data_error", score, panelist.prices.rows, pulse.last, evidence)

    def _record(self, finding: Finding, panelist: _Panelist, clock: int) -> AnomalyFound:
        evidence = finding.evidence
        if finding.kind in MOVES:
            evidence = self._compared(evidence, panelist, panelist.pulse.last)
        return AnomalyFound(
            provider=panelist.provider,
            instrument=self._instrument,
            ts_event=finding.ts,
            ts_recv=clock,
            anomaly=finding.kind,
            verdict=finding.verdict,
            severity=finding.severity,
            evidence=tuple(evidence.items()),
        )

    def _compared(self, evidence: Evidence, panelist: _Panelist, now: int) -> Evidence:
        """With each other provider's own move, and where the others are; samples have no sizes."""
        told = {name: value for name, value in evidence.items() if name not in UNKNOWN_SIZES}
        told["samples_outside"] = evidence["trades_outside"]
        told["providers_confirm"] = float(panelist.says.confirm)
        others = self._reference.others_price(now, besides=panelist.provider)
        if others is not None:
            told["others_price"] = others
        return told | {f"return.{name}": move for name, move in panelist.moves.items()}

    def snapshot(self) -> PanelState:
        panelists = tuple(each.snapshot() for _, each in sorted(self._panelists.items()))
        return PanelState(self._event_until, panelists)

    @classmethod
    def restored(cls, instrument: str, reference: ReferencePrice, state: PanelState) -> Panel:
        panel = cls(instrument, reference)
        panel._event_until = state.event_until
        for each in state.panelists:
            panelist = panel._panelists[each.provider] = _Panelist(each.provider, instrument, reference)
            panelist.restore(each)
        return panel
