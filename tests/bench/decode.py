"""Frame in, normalised observations and a kept book out, per core, against cryptofeed on the same frames.

Both sides keep books and both prove Kraken's checksums. Ours gives floats, numbers of gaps and repeats;
cryptofeed gives Decimals and keeps each message beside its object: each does what it does in production.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from actors.feeds.base import Effects, FeedSettings, HttpRequest, Session
from actors.feeds.registry import load_adapter
from domain.clock import NS_PER_S
from domain.market.book import OrderBook
from domain.market.observations import BookDelta, BookSnapshot
from tests.bench.frames import START_NS, VENUES, VenueFrames
from tests.bench.rows import Row, Scale, median, quiet

HERE = Path(__file__).resolve().parent
FRAMES = 120_000
ENDPOINTS = {
    "binance": "wss://stream.binance.us:9443/stream",
    "kraken": "wss://ws.kraken.com",
    "coinbase": "wss://ws-feed.exchange.coinbase.com",
}
IDS = {"binance": "BINANCE_US", "kraken": "KRAKEN", "coinbase": "COINBASE"}
PEER_VERSION = {"binance": "2.4.1", "kraken": "2.4.1", "coinbase": "2.3.2"}


def group(scale: Scale) -> list[Row]:
    """One row per venue, and one over all three with equal numbers of frames."""
    python = peer_python()
    count = scale.of(FRAMES, least=24)
    rows, ours_s, theirs_s = [], 0.0, 0.0
    for venue, make in VENUES.items():
        ours, theirs = _rounds(make(count), scale.rounds, python)
        rows.append(_row(f"decode_vs_cryptofeed_{venue}", count, ours, theirs, PEER_VERSION[venue]))
        ours_s += ours
        theirs_s += theirs or 0.0
    total = count * len(VENUES)
    return [_row("decode_vs_cryptofeed", total, ours_s, theirs_s or None, "2.4.1"), *rows]


def _row(name: str, count: int, ours_s: float, theirs_s: float | None, version: str) -> Row:
    peer = f"cryptofeed {version}" if theirs_s else None
    return Row(name, count / ours_s, "frames/s", count, peer, count / theirs_s if theirs_s else None)


def _rounds(made: VenueFrames, rounds: int, python: str | None) -> tuple[float, float | None]:
    """Median CPU seconds of (ours, theirs), round about."""
    ours: list[float] = []
    theirs: list[float] = []
    with _peer(made, python) as ask:
        for _ in range(rounds):
            ours.append(one_round(made)[0])
            if ask is not None:
                theirs.append(ask())
    return median(ours), median(theirs) if theirs else None


def one_round(made: VenueFrames) -> tuple[float, int]:
    """(CPU seconds, observations) of our side. Raises ValueError where a frame was not understood."""
    session, books = opened(made)
    with quiet():
        began = time.process_time()
        observations, rejects = _play(made, session, books)
        took = time.process_time() - began
    if rejects or observations < len(made.frames):
        raise ValueError(f"{made.venue}: {observations} observations and {rejects} rejects")
    return took, observations


def _play(made: VenueFrames, session: Session, books: dict[str, OrderBook]) -> tuple[int, int]:
    on_frame, url, keeps_own = session.on_frame, ENDPOINTS[made.venue], made.venue == "kraken"
    count = rejects = 0
    for number, frame in enumerate(made.frames):
        effects = on_frame(0, frame, START_NS + number, url)
        for observation in effects.observations:
            count += 1
            if not keeps_own and type(observation) is BookDelta:
                books[observation.instrument].apply_delta(observation)
        if effects.rejects:
            rejects += 1
    return count, rejects


def opened(made: VenueFrames) -> tuple[Session, dict[str, OrderBook]]:
    """A session that has its snapshots, and a book for each."""
    names = [f"{base}-{quote}.{IDS[made.venue]}" for base, quote, _ in made.symbols]
    session = load_adapter(made.venue).session(FeedSettings(instruments=tuple(names), book_depth=10))
    books = {name: OrderBook() for name in names}
    session.on_start(START_NS)
    session.on_open(0, START_NS)
    for frame in made.opening:
        _load(session.on_frame(0, frame, START_NS, ENDPOINTS[made.venue]), books)
    for name, body in made.snapshots.items():
        asked = HttpRequest(f"https://api.binance.us/api/v3/depth?symbol={name}&limit=1000", "bench")
        _load(session.on_response(asked, 200, {}, body, START_NS), books)
    return session, books


def _load(effects: Effects, books: dict[str, OrderBook]) -> None:
    for observation in effects.observations:
        if isinstance(observation, BookSnapshot):
            books[observation.instrument].apply_snapshot(observation)
        elif isinstance(observation, BookDelta):
            books[observation.instrument].apply_delta(observation)


def peer_python() -> str | None:
    """The interpreter that has the peer; None, with the reason on stderr, where it cannot be made."""
    done = subprocess.run(["bash", str(HERE / "peer.sh")], stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


@contextmanager
def _peer(made: VenueFrames, python: str | None) -> Iterator[Callable[[], float] | None]:
    """Asks the peer for one round: CPU seconds of all frames."""
    if python is None:
        yield None
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(asdict(made), file)
        file.flush()
        peer = _start_peer(made, python, file.name)
        assert peer.stdin is not None and peer.stdout is not None
        answers = peer.stdout
        answers.readline()

        def ask() -> float:
            print("go", file=peer.stdin, flush=True)
            took_ns, objects = map(int, answers.readline().split())
            if objects < len(made.frames):
                raise ValueError(f"the peer gave {objects} objects for {len(made.frames)} frames")
            return took_ns / NS_PER_S

        yield ask
        peer.stdin.close()
        peer.wait(30)


def _start_peer(made: VenueFrames, python: str, file: str) -> subprocess.Popen[str]:
    environment = dict(os.environ)
    environment.pop("PYTHONPATH", None)
    if made.venue == "coinbase":
        environment["PYTHONPATH"] = str(Path(python).parents[1] / "exchange-api")
    return subprocess.Popen(
        [python, str(HERE / "cryptofeed_side.py"), file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd="/",
    )
