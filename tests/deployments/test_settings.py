"""Settings: one strict file, environment over it, defaults below; every mistake names its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.settings import DEFAULT_WATCH, read_settings
from domain.errors import Malformed


def a_file(folder: Path, text: str) -> str:
    file = folder / "financehub.toml"
    file.write_text(text)
    return str(file)


def test_without_file_and_environment_the_defaults_run_the_simulator() -> None:
    settings = read_settings(environment={})
    assert settings.feeds.enabled == ("sim",)
    assert settings.feeds.sim.instruments == DEFAULT_WATCH
    assert settings.http.host == "127.0.0.1"


def test_a_table_may_name_one_key_and_keeps_the_other_defaults(tmp_path: Path) -> None:
    file = a_file(tmp_path, '[feeds]\nenabled = ["binance"]\n[feeds.binance]\nchannels = ["trades"]\n')
    settings = read_settings(file, environment={})
    assert settings.feeds.binance.channels == ("trades",)
    assert settings.feeds.binance.instruments == ("BTC-USDT.BINANCE", "ETH-USDT.BINANCE")


def test_environment_goes_over_the_file_and_overrides_over_both(tmp_path: Path) -> None:
    file = a_file(tmp_path, "[http]\nport = 1\nhost = '127.0.0.2'\n[ray]\nshards = 5\n")
    settings = read_settings(
        file, environment={"FINANCEHUB_HTTP_PORT": "2", "FINANCEHUB_RAY_SHARDS": "6"}, ray__shards=7
    )
    assert (settings.http.port, settings.http.host, settings.ray.shards) == (2, "127.0.0.2", 7)


def test_lists_in_the_environment_split_at_commas() -> None:
    settings = read_settings(environment={"FINANCEHUB_FEEDS_KRAKEN_INSTRUMENTS": "A-B.KRAKEN, C-D.KRAKEN"})
    assert settings.feeds.kraken.instruments == ("A-B.KRAKEN", "C-D.KRAKEN")


def test_data_dir_has_a_short_variable(tmp_path: Path) -> None:
    assert read_settings(environment={"FINANCEHUB_DATA_DIR": str(tmp_path)}).data_dir == tmp_path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[http]\nprot = 1\n", "unknown key 'prot'"),
        ("[htpp]\nport = 1\n", "unknown key 'htpp'"),
        ("[http]\nport = 'x'\n", r"\$.http.port"),
        ("[http]\nport = 65536\n", r"<= 65535 - at .\$.http.port"),
        ("[http]\nport = 0\n", r">= 1 - at .\$.http.port"),
        ("[feeds]\nenabled = ['nobody']\n", "unknown provider 'nobody'"),
        ("port = = 1", "Invalid value|at line 1"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        read_settings(a_file(tmp_path, text), environment={})


@pytest.mark.parametrize(
    ("variable", "value"), [("FINANCEHUB_HTTP_PROT", "1"), ("FINANCEHUB_HTTP_PORT", "many")]
)
def test_a_mistake_in_the_environment_is_named(variable: str, value: str) -> None:
    with pytest.raises(Malformed, match=variable):
        read_settings(environment={variable: value})


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="No such file"):
        read_settings(str(tmp_path / "no.toml"), environment={})


def test_indicators_to_keep_may_have_commas_of_their_own(tmp_path: Path) -> None:
    file = a_file(tmp_path, '[indicators]\nkeep = ["macd(12,26,9).signal", "sma(50)@1h"]\n')
    assert read_settings(file, environment={}).indicators.keep == ("macd(12,26,9).signal", "sma(50)@1h")
    told = {"FINANCEHUB_INDICATORS_KEEP": "ema(9, rsi(14)), macd(12,26,9)@1h,obv"}
    kept = read_settings(file, environment=told).indicators.keep
    assert kept == ("ema(9, rsi(14))", "macd(12,26,9)@1h", "obv")


@pytest.mark.parametrize("spec", ["rsl(14)", "sma(50)@2h", "sma(50"])
def test_a_faulty_indicator_ends_the_start_and_names_the_key(tmp_path: Path, spec: str) -> None:
    file = a_file(tmp_path, f'[indicators]\nkeep = ["{spec}"]\n')
    with pytest.raises(Malformed, match=r"indicators\.keep"):
        read_settings(file, environment={})
