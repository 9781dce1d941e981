"""A private folder with a short name, for sockets that a home folder's path is too long for."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

TEMPORARY = Path("/tmp")  # noqa: S108 - what is used below it is checked for its owner
CHOSEN_FILE = "short-folder"
"""In the run folder: the place that was chosen because the usual one was taken."""


def short_folder(run_folder: Path) -> Path:
    """One per data directory, the same at each call, that nobody else may enter.

    HAProxy allows a socket 97 characters, of which Ray's subfolder takes 56: a home folder is too long. The
    usual name can be known to others: where one of them has taken it, another is chosen and remembered.
    """
    name = hashlib.sha256(os.fsencode(run_folder.absolute())).hexdigest()[:8]
    prefix = f"fh-{os.geteuid()}-"
    note = run_folder / CHOSEN_FILE
    if note.is_file() and _is_private(chosen := Path(note.read_text())):
        return chosen
    usual = TEMPORARY / (prefix + name)
    with suppress(FileExistsError):
        usual.mkdir(mode=0o700)
    if _is_private(usual):
        return usual
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=TEMPORARY))
    run_folder.mkdir(parents=True, exist_ok=True)
    note.write_text(str(made))
    return made


def ray_folder(run_folder: Path) -> Path:
    """Where Ray keeps the sockets and logs of its sessions.

    It makes them open to everybody, to be written too: in its own place, `/tmp/ray`, any user of the machine
    could put a socket of theirs where our processes look for Ray.
    """
    folder = short_folder(run_folder) / "ray"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _is_private(folder: Path) -> bool:
    """A real folder of this user that is closed to all others."""
    try:
        about = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & 0o077
