"""Frames in, normalised observations and a kept book out, per core, against cryptofeed on the same frames.

Ours folds `RUN` frames at once, as a feed does that finds so many waiting in its socket; the row of single
frames is the feed that finds one.

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
from typing import NamedTuple

from actors.feeds.base import Effects, FeedSettings, HttpRequest, Session
from actors.feeds.registry import load_adapter
from domain.clock import NS_PER_S
from domain.market.book import OrderBook
from domain.market.observations import BookDelta, BookSnapshot
from tests.bench.frames import START_NS, VENUES, VenueFrames
from tests.bench.rows import Row, Scale, median, quiet

HERE = Path(__file__).resolve().parent
FRAMES = 120_000
RUN = 32
"""Frames folded at once: what waits in a loaded feed's socket, half of what a link takes at most."""
ENDPOINTS = {
    "binance": "wss://stream.binance.us:9443/stream",
    "kraken": "wss://ws.kraken.com",
    "coinbase": "wss://ws-feed.exchange.coinbase.com",
}
IDS = {"binance": "BINANCE_US", "kraken": "KRAKEN", "coinbase": "COINBASE"}
PEER_VERSION = {"binance": "2.4.1", "kraken": "2.4.1", "coinbase": "2.3.2"}


def group(scale: Scale) -> list[Row]:
    """A row over all three venues with equal numbers of frames, one for single frames, one per venue."""
    python = peer_python()
    count = scale.of(FRAMES, least=24)
    rows, sums = [], Took(0.0, 0.0, 0.0)
    for venue, make in VENUES.items():
        took = _rounds(make(count), scale.rounds, python)
        rows.append(
            _row(f"decode_vs_cryptofeed_{venue}", count, took.runs_s, took.peer_s, PEER_VERSION[venue])
        )
        sums = Took(*(one + other for one, other in zip(sums, took, strict=True)))
    total = count * len(VENUES)
    return [
        _row("decode_vs_cryptofeed", total, sums.runs_s, sums.peer_s, "2.4.1"),
        _row("decode_vs_cryptofeed_single", total, sums.single_s, sums.peer_s, "2.4.1"),
        *rows,
    ]


class Took(NamedTuple):
    """CPU seconds of ours in runs, of ours frame by frame, and of the peer (0 without one)."""

    runs_s: float
    single_s: float
    peer_s: float


def _row(name: str, count: int, ours_s: float, theirs_s: float, version: str) -> Row:
    peer = f"cryptofeed {version}" if theirs_s else None
    return Row(name, count / ours_s, "frames/s", count, peer, count / theirs_s if theirs_s else None)


def _rounds(made: VenueFrames, rounds: int, python: str | None) -> Took:
    """Medians, round about."""
    runs: list[float] = []
    single: list[float] = []
    theirs: list[float] = []
    with _peer(made, python) as ask:
        for _ in range(rounds):
            runs.append(one_round(made)[0])
            if ask is not None:
                theirs.append(ask())
            single.append(one_round(made, 1)[0])
    return Took(median(runs), median(single), median(theirs) if theirs else 0.0)


def one_round(made: VenueFrames, run: int = RUN) -> tuple[float, int]:
    """(CPU seconds, observations) of our side, `run` frames at once.

    Raises ValueError where a frame was not understood.
    """
    session, books = opened(made)
    with quiet():
        began = time.process_time()
        observations, rejects = _play(made, session, books, run)
        took = time.process_time() - began
    if rejects or observations < len(made.frames):
        raise ValueError(f"{made.venue}: {observations} observations and {rejects} rejects")
    return took, observations


def _play(made: VenueFrames, session: Session, books: dict[str, OrderBook], length: int) -> tuple[int, int]:
    """As a feed does it: a run of frames with their times, and what the session makes of it."""
    take_frames, url, frames = session.take_frames, ENDPOINTS[made.venue], made.frames
    keeps_own = made.venue == "kraken"
    count = rejects = 0
    for start in range(0, len(frames), length):
        run = [(frame, START_NS + start) for frame in frames[start : start + length]]
        effects = take_frames(0, run, url)
        count += len(effects.observations)
        rejects += len(effects.rejects)
        if not keeps_own:
            for observation in effects.observations:
                if type(observation) is BookDelta:
                    books[observation.instrument].apply_delta(observation)
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
