from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Malformed
from domain.indicators.catalog import CATALOG, catalogue
from domain.indicators.spec import Spec, parse_spec
from tests.domain.indicators.series import EVERY_SPEC


def test_parts_of_a_spec_are_read() -> None:
    assert parse_spec("macd(12,26,9).signal") == Spec("macd", (12.0, 26.0, 9.0), "close", "signal")
    assert parse_spec("sma(50,source=hl2)@1h") == Spec("sma", (50.0,), "hl2", "value", "1h")
    assert parse_spec("ema(9, rsi(14))") == Spec("ema", (9.0,), parse_spec("rsi(14)"), "value")
    assert parse_spec(" sma ( 5 ) @ 15m ") == parse_spec("sma(5)@15m")


def test_the_first_output_needs_no_suffix() -> None:
    assert parse_spec("bbands(20,2)") == parse_spec("bbands(20,2).upper")
    assert parse_spec("stoch(14,3,3)") == parse_spec("stoch(14,3,3).k")
    assert parse_spec("macd(12,26,9)") == parse_spec("macd(12,26,9).macd")


def test_defaults_fill_in_only_where_there_are_some() -> None:
    assert parse_spec("psar") == parse_spec("psar(0.02,0.2)")
    assert parse_spec("ichimoku()") == parse_spec("ichimoku(9,26,52)")
    assert parse_spec("keltner(20,2)") == parse_spec("keltner(20,10,2)")
    assert parse_spec("stddev(20)") == parse_spec("stddev(20,1)")


@pytest.mark.parametrize("text", EVERY_SPEC)
def test_canonical_text_parses_to_the_same_spec(text: str) -> None:
    spec = parse_spec(text)
    assert parse_spec(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rsl(14)", "did you mean 'rsi'"),
        ("RSI(14)", "did you mean 'rsi'"),
        ("supertrnd(10,3)", "did you mean 'supertrend'"),
        ("zzz(1)", "known: sma ema wma"),
        ("", "an indicator's name expected, not 'the end'"),
        ("rsi", "rsi takes (period), as in rsi(14); 0 given"),
        ("rsi(14,3)", "2 given"),
        ("macd(12,26)", "macd takes (fast, slow, signal)"),
        ("obv(3)", "obv takes no numbers"),
        ("sma(0)", "period must be 1 to 100000, not 0"),
        ("sma(-5)", "not -5"),
        ("sma(100001)", "period must be 1 to 100000"),
        ("sma(" + "9" * 100 + ")", "period must be 1 to 100000"),
        ("sma(14.5)", "whole number of bars"),
        ("sma(1e3)", "whole number of bars"),
        ("rsi(1)", "period must be 2 to"),
        ("bbands(20,-2)", "deviations must be"),
        ("bbands(20,1e400)", "deviations must be"),
        ("macd(26,12,9)", "fast (26) must be less than slow (12)"),
        ("psar(0.5,0.2)", "step (0.5) must not exceed most (0.2)"),
        ("bbands(20,2).uper", "it has upper, middle, lower"),
        ("sma(5,source=hl9)", "there is no source 'hl9'"),
        ("sma(5,hl2)", "write source=hl2"),
        ("atr(14,source=hl2)", "takes no source"),
        ("atr(14,rsi(14))", "takes no source"),
        ("sma(5,source=close,3)", "nothing may follow the source"),
        ("sma(5))", "nothing may follow, but there is ')'"),
        ("sma(5", "`,` or `)` expected"),
        ("sma(5)@7h", "interval '7h' is none of"),
        ("ema(9, rsi(14)@1h)", "`,` or `)` expected"),
        ("sma(nan)", "there is no indicator 'nan'"),
        ("sma(٣)", "an indicator's name expected"),
        ("ema(2,ema(2,ema(2,ema(2,ema(2)))))", "more than 4 figures"),
        ("sma(5)" + " " * 300, "at most 200"),
    ],
)
def test_a_faulty_spec_is_refused_with_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_spec(text)
    assert said in str(refused.value)


@given(st.text(alphabet="smaerhlcdi(),.=@ 0123456789-e", max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        spec = parse_spec(text)
    except Malformed:
        return
    assert parse_spec(str(spec)) == spec


def test_every_entry_of_the_catalogue_is_complete_and_its_example_parses() -> None:
    names = [
        *("sma", "ema", "wma", "rsi", "macd", "bbands", "stoch", "stochf", "willr", "atr", "vwap"),
        *(
            "obv",
            "cci",
            "mfi",
            "adx",
            "roc",
            "stddev",
            "keltner",
            "donchian",
            "ichimoku",
            "psar",
            "supertrend",
        ),
    ]
    assert sorted(about.name for about in catalogue()) == sorted(names)
    for about in catalogue():
        assert parse_spec(CATALOG[about.name].example).name == about.name
        texts = (
            about.title,
            about.formula,
            about.seeding,
            about.range,
            about.warmup,
            about.source,
            about.reference,
        )
        assert all(texts), about.name


@pytest.mark.parametrize("text", EVERY_SPEC)
def test_the_catalogues_outputs_and_inputs_are_the_kernels_own(text: str) -> None:
    from domain.indicators.catalog import make_kernel

    spec = parse_spec(text)
    kernel, about = make_kernel(spec.name, spec.parameters), CATALOG[spec.name].about
    assert kernel.outputs == about.outputs
    assert set(kernel.needs) <= set(about.inputs)
