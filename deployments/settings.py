"""Everything that can be set, read once: `financehub.toml`, then `FINANCEHUB_<SECTION>_<KEY>` over it."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from actors.feeds.base import FeedSettings
from domain.errors import Malformed
from domain.indicators.armed import by_interval
from domain.settings import load, overlay

DEFAULT_FILE = "financehub.toml"
DEFAULT_WATCH = (
    "BTC-USD.SIM", "ETH-USD.SIM", "SOL-USD.SIM", "AAPL.SIM", "MSFT.SIM", "NVDA.SIM", "EUR-USD.SIM",
    "GBP-USD.SIM", "USD-JPY.SIM",
)  # fmt: skip


class InstanceSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[instance]`: `data_dir` "" means the platform's default place."""

    data_dir: str = ""
    log_level: str = "INFO"


class HttpSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[http]`: where users connect. Loopback unless told otherwise; put TLS in front."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 8000
    ha_proxy: bool = True
    gateways: int = 1
    sockets_per_user: int = 50
    connections_per_address: Annotated[int, Meta(ge=0)] = 1_000
    """HTTP and sockets of one client address together; 0 means without bound. Behind another proxy all
    clients have its address."""
    waiting_per_address: Annotated[int, Meta(ge=0)] = 200
    """Sockets that have not shown who they are yet; 0 means as many as there may be in all."""
    indicators_per_user: Annotated[int, Meta(ge=0)] = 200
    """Different ones streamed to one user by one gateway."""
    metrics_open: bool = False


class DatabaseSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[database]`: `dsn` "" means the embedded PostgreSQL in the data directory."""

    dsn: str = ""
    partitions: int = 0
    """Market partitions, set when the database is created; 0 means 4 embedded, 64 external."""
    allow_unsafe_durability: bool = False


class StorageSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[storage]`: what is kept. 0 means without bound."""

    max_bytes: Annotated[int, Meta(ge=0)] = 20_000_000_000
    """Of the whole database, its write-ahead log apart; the oldest events go first."""
    access_max_bytes: Annotated[int, Meta(ge=0)] = 1_000_000_000
    """Of the audit of sessions, and at most a twentieth of `max_bytes`; 0: it counts with all other ones."""
    max_age_days: Annotated[float, Meta(ge=0)] = 0.0
    """Of events; bars and other read models stay."""


class RaySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[ray]`: `address` "" starts a local Ray; else an existing cluster is joined."""

    address: str = ""
    shards: int = 0
    """Keeper shard processes; 0 means one per two cores, at least 1, at most 8."""
    readers: int = 1
    dashboard_port: int = 8265


class FeedsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[feeds]`: which feeds run, and a table for each."""

    enabled: tuple[str, ...] = ("sim",)
    sim: FeedSettings = FeedSettings(instruments=DEFAULT_WATCH)
    binance: FeedSettings = FeedSettings(instruments=("BTC-USDT.BINANCE", "ETH-USDT.BINANCE"))
    coinbase: FeedSettings = FeedSettings(instruments=("BTC-USD.COINBASE", "ETH-USD.COINBASE"))
    kraken: FeedSettings = FeedSettings(instruments=("BTC-USD.KRAKEN", "ETH-USD.KRAKEN"))

    def of(self, provider: str) -> FeedSettings:
        found = getattr(self, provider, None)
        if not isinstance(found, FeedSettings):
            raise Malformed(f"feeds: unknown provider {provider!r}; known: binance coinbase kraken sim")
        return found


class IndicatorsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[indicators]`: specs such as `rsi(14)` (of 1m bars) and `sma(50)@1h` that the keepers keep up for
    every instrument of the feeds."""

    keep: tuple[str, ...] = ()


class TelemetrySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[telemetry]`: `otlp_endpoint` "" sends nothing anywhere."""

    otlp_endpoint: str = ""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of financehub.toml."""

    instance: InstanceSettings = InstanceSettings()
    http: HttpSettings = HttpSettings()
    database: DatabaseSettings = DatabaseSettings()
    storage: StorageSettings = StorageSettings()
    ray: RaySettings = RaySettings()
    feeds: FeedsSettings = FeedsSettings()
    indicators: IndicatorsSettings = IndicatorsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @property
    def data_dir(self) -> Path:
        return Path(self.instance.data_dir) if self.instance.data_dir else default_data_dir()


SECTIONS: Mapping[str, type] = {
    "instance": InstanceSettings,
    "http": HttpSettings,
    "database": DatabaseSettings,
    "storage": StorageSettings,
    "ray": RaySettings,
    "indicators": IndicatorsSettings,
    "telemetry": TelemetrySettings,
    "feeds": FeedsSettings,
    **{
        f"feeds.{field.name}": FeedSettings
        for field in msgspec.structs.fields(FeedsSettings)
        if field.type is FeedSettings
    },
}
SHORT_VARIABLES = {"FINANCEHUB_DATA_DIR": "FINANCEHUB_INSTANCE_DATA_DIR"}


def default_data_dir() -> Path:
    """`/var/lib/financehub` as root (the embedded PostgreSQL needs parents that others may enter)."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/financehub")
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "financehub"


def read_settings(
    file: str | None = None, *, environment: Mapping[str, str] | None = None, **overrides: Any
) -> Settings:
    """File (default ./financehub.toml where it exists), environment, then `section__key=value`.

    Raises Malformed, naming file and key.
    """
    mapping = _merged(msgspec.to_builtins(Settings()), _read_file(file))
    variables = dict(os.environ if environment is None else environment)
    for short, long in SHORT_VARIABLES.items():
        if short in variables:
            variables.setdefault(long, variables.pop(short))
    mapping = overlay(mapping, variables, SECTIONS)
    for name, value in overrides.items():
        if value is not None:
            section, _, key = name.partition("__")
            mapping[section] = {**mapping.get(section, {}), key: value}
    _check_feeds(settings := load(Settings, mapping, file or DEFAULT_FILE))
    _check_indicators(settings)
    return settings


def _check_indicators(settings: Settings) -> None:
    try:
        by_interval(settings.indicators.keep)
    except Malformed as error:
        raise Malformed(f"indicators.keep: {error}") from None


def _check_feeds(settings: Settings) -> None:
    for provider in settings.feeds.enabled:
        settings.feeds.of(provider)


def _merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` over `defaults`, table by table, so that a table may name one key only."""
    result = dict(defaults)
    for key, value in given.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result


def _read_file(file: str | None) -> dict[str, Any]:
    path = Path(file or DEFAULT_FILE)
    if file is None and not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Malformed(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"{path}: {error}") from None


def platform_has_ha_proxy() -> bool:
    return sys.platform == "linux"
