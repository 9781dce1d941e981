"""What a feed tells the reference instruments of what it hears."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors import price_sampler
from actors.price_sampler import PriceSampler
from domain.clock import NS_PER_S
from domain.market.observations import Gap, Observation, Quote, Ticker, Trade
from tests.builders import a_gap, a_quote, a_trade, an_info, at

USD, USDT, REFERENCE = "BTC-USD.KRAKEN", "BTC-USDT.KRAKEN", "BTC-USD.CRYPTO"


def trade(price: float, second: float, instrument: str = USD, *, late_s: float = 0.0) -> Trade:
    return a_trade(price, ts=at(second - late_s), instrument=instrument, provider="kraken")


def quote(bid: float | None, ask: float | None, second: float, instrument: str = USD) -> Quote:
    return a_quote(bid, ask, ts=at(second), instrument=instrument, provider="kraken")


def gap(channel: str, second: float, *, opened: bool = True) -> Gap:
    return a_gap(channel, opened=opened, ts=at(second), instrument=USD, provider="kraken")


class Feed:
    """Hands one observation after the other to a sampler and keeps what it adds."""

    def __init__(self) -> None:
        self.sampler = PriceSampler()
        self.told: list[Observation] = []

    def hear(self, *observations: Observation, at_s: float) -> Feed:
        given = list(observations)
        taken = self.sampler.with_samples(given, at(at_s))
        assert taken[: len(given)] == given
        self.told += taken[len(given) :]
        return self

    def prices(self) -> list[float]:
        return [each.last for each in self.told if isinstance(each, Ticker)]


def test_the_first_trade_of_a_second_is_the_sample() -> None:
    feed = Feed()
    for second, price in ((0.2, 1.0), (0.9, 2.0), (1.1, 3.0), (1.2, 4.0), (5.0, 4.0), (6.0, 4.0)):
        feed.hear(trade(price, second), at_s=second)
    assert feed.prices() == [1.0, 3.0, 4.0, 4.0]
    assert feed.told[0] == Ticker(
        provider="kraken", instrument=REFERENCE, ts_event=at(0.2), ts_recv=at(0.2), last=1.0
    )


def test_one_price_from_the_far_future_holds_up_none_that_follow() -> None:
    feed = Feed()
    feed.hear(trade(1.0, 0.1), at_s=0.1)
    feed.hear(trade(66.0, 86_400.0), at_s=2.0)
    feed.hear(quote(66.0, 66.1, 86_400.0), at_s=9.0)
    feed.hear(trade(2.0, 20.0), at_s=20.0)
    assert feed.prices() == [1.0, 2.0]


def test_what_has_no_reference_goes_through_untouched() -> None:
    observations = [a_trade(ts=at(second)) for second in range(9)]
    assert PriceSampler().with_samples(observations, at(9)) is observations


def test_one_moment_gives_each_instrument_one_sample() -> None:
    feed = Feed().hear(
        trade(1.0, 0.0), trade(2.0, 0.1), trade(7.0, 0.0, "ETH-USD.KRAKEN"), trade(3.0, 0.2), at_s=0.3
    )
    assert feed.prices() == [1.0, 7.0]


def test_quotes_speak_where_nothing_has_traded_for_five_seconds() -> None:
    feed = Feed().hear(quote(99.0, 99.5, 0.0), at_s=0.0).hear(trade(100.0, 1.0), at_s=1.0)
    for second in (2.0, 5.9, 6.0, 6.5, 7.0):
        feed.hear(quote(100.0 + second, 100.2 + second, second), at_s=second)
    assert feed.prices() == [99.25, 100.0, 106.1, 107.1]


def test_quotes_that_are_wide_crossed_or_one_sided_are_no_price() -> None:
    feed = Feed()
    for bid, ask in ((100.0, 102.0), (100.0, 99.9), (None, 100.0), (100.0, None), (0.0, 0.0)):
        feed.hear(quote(bid, ask, 0.0), at_s=0.0)
    assert feed.hear(trade(0.0, 0.0), trade(-1.0, 0.0), at_s=0.0).told == []
    assert feed.hear(quote(100.0, 100.0, 0.0), at_s=0.0).prices() == [100.0]


def test_late_and_older_trades_are_not_sampled() -> None:
    feed = Feed().hear(trade(1.0, 0.0), at_s=0.0)
    feed.hear(trade(2.0, 10.0, late_s=6.0), trade(3.0, 10.0, late_s=10.0), at_s=10.0)
    assert feed.prices() == [1.0]
    assert feed.hear(trade(4.0, 10.0, late_s=1.0), at_s=10.0).prices() == [1.0, 4.0]


def test_nothing_is_sampled_while_trades_are_missing() -> None:
    feed = Feed().hear(trade(1.0, 0.0), at_s=0.0).hear(gap("trades", 1.0), trade(2.0, 1.0), at_s=1.0)
    feed.hear(trade(3.0, 9.0), quote(3.0, 3.0, 9.0), at_s=9.0)
    assert feed.prices() == [1.0]
    feed.hear(gap("trades", 10.0, opened=False), trade(4.0, 10.0), at_s=10.0)
    assert feed.prices() == [1.0, 4.0]


def test_trades_that_stay_missing_do_not_silence_a_feed_for_good() -> None:
    feed = Feed().hear(gap("trades", 0.0), at_s=0.0)
    assert feed.hear(trade(1.0, 59.0), at_s=59.0).hear(trade(2.0, 60.0), at_s=60.0).prices() == [2.0]


def test_a_broken_book_leaves_the_trades_alone() -> None:
    assert Feed().hear(gap("book", 0.0), trade(1.0, 0.0), at_s=0.0).prices() == [1.0]


def test_a_lost_connection_is_told_to_the_reference_and_so_is_its_end() -> None:
    feed = Feed().hear(trade(1.0, 0.0), at_s=0.0)
    lost, back = gap("feed", 1.0), gap("feed", 8.0, opened=False)
    feed.hear(lost, at_s=1.0).hear(back, trade(2.0, 8.0), at_s=8.0).hear(back, at_s=9.0)
    assert [each for each in feed.told if isinstance(each, Gap)] == [
        replace(lost, instrument=REFERENCE),
        replace(back, instrument=REFERENCE),
    ]
    assert feed.prices() == [1.0, 2.0]


def test_of_two_pairs_the_one_in_dollars_is_sampled() -> None:
    feed = Feed().hear(trade(1.0, 0.0, USDT), at_s=0.0)
    for second in (1.0, 2.0, 3.0):
        feed.hear(trade(10.0 + second, second, USDT), trade(20.0 + second, second), at_s=second)
    assert feed.prices() == [1.0, 11.0, 21.0, 22.0, 23.0]


def test_the_other_pair_takes_over_after_a_minute_of_silence_and_gives_back_at_once() -> None:
    feed = Feed().hear(trade(1.0, 0.0), at_s=0.0)
    for second in (30.0, 59.0, 60.0, 61.0):
        feed.hear(trade(second, second, USDT), at_s=second)
    assert feed.prices() == [1.0, 60.0, 61.0]
    feed.hear(trade(2.0, 62.0), trade(62.0, 62.0, USDT), at_s=62.0)
    assert feed.prices() == [1.0, 60.0, 61.0, 2.0]


def test_a_pair_that_its_id_does_not_tell_is_sampled_once_described() -> None:
    feed = Feed().hear(trade(1.0, 0.0, "BELTRY.BINANCE_TR"), at_s=0.0)
    described = an_info("BELTRY.BINANCE_TR", base="BEL", quote="TRY")
    feed.hear(described, trade(2.0, 1.0, "BELTRY.BINANCE_TR"), described, at_s=1.0)
    feed.hear(trade(3.0, 1.5, "BELTRY.BINANCE_TR"), at_s=1.5)
    assert [(each.instrument, each.last) for each in feed.told] == [("BEL-TRY.CRYPTO", 2.0)]  # type: ignore[union-attr]


def test_what_is_remembered_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(price_sampler, "MAX_INSTRUMENTS", 3)
    names = [f"C{number}-USD.KRAKEN" for number in range(5)]
    feed = Feed()
    for second in (0.0, 1.0):
        feed.hear(*(trade(1.0, second, name) for name in names), at_s=second)
    assert [each.instrument for each in feed.told] == [f"C{number}-USD.CRYPTO" for number in (0, 1, 2)] * 2


steps = st.lists(
    st.tuples(
        st.sampled_from((0.0, 0.3, 1.0, 2.0, 61.0)),
        st.lists(
            st.tuples(
                st.sampled_from(("trade", "quote", "gap", "end")),
                st.sampled_from((USD, USDT, "ETH-USD.KRAKEN", "BTC-USD.SIM")),
                st.sampled_from((0.0, 0.5, 7.0)),
            ),
            max_size=5,
        ),
    ),
    max_size=30,
)


def made(what: str, instrument: str, late_s: float, second: float) -> Observation:
    if what == "trade":
        return trade(100.0, second, instrument, late_s=late_s)
    if what == "quote":
        return quote(100.0, 100.1, second, instrument)
    return replace(gap("trades", second, opened=what == "gap"), instrument=instrument)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_samples_are_at_most_one_a_second_and_fresh(moments: Sequence[tuple[float, list]]) -> None:
    sampler, second = PriceSampler(), 0.0
    seen: dict[tuple[str, int], set[str]] = {}
    for passed, whats in moments:
        second += passed
        given_ = [made(*what, second) for what in whats]
        taken = sampler.with_samples(given_, at(second))
        assert list(taken[: len(given_)]) == given_
        for sample in taken[len(given_) :]:
            assert isinstance(sample, Ticker)
            pairs = seen.setdefault((sample.instrument, at(second) // NS_PER_S), set())
            assert len(pairs) < (2 if sample.instrument == REFERENCE else 1)  # the dollar may take over
            pairs.add(repr(sample))
            assert at(second) - sample.ts_event <= price_sampler.LATE_NS
