"""The Ed25519 key pair that signs this instance's tokens, made at first start in `<data_dir>/secrets`.

The directory is 0700 and the file 0600; a key that others may read is refused, not repaired, because
nobody can know who has read it. Several processes may start at once: the first one's key wins.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.errors import Corrupt, Rejected

SECRETS_FOLDER = "secrets"
KEY_FILE = "token-ed25519.pem"
ANCHOR_KEY_FILE = "anchor-ed25519.pem"
"""Signs what retention drops from the log: of its own, so that a lost token key can be replaced."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`kid` names the public key: 16 hex digits of its SHA-256."""

    kid: str
    private: Ed25519PrivateKey = field(repr=False)
    public: Ed25519PublicKey = field(repr=False)


def make_key() -> SigningKey:
    return _named(Ed25519PrivateKey.generate())


def load_or_make_key(data_dir: Path, name: str = KEY_FILE) -> SigningKey:
    """The instance's key. Raises Rejected where others may read it, Corrupt where it is no Ed25519 key."""
    folder = data_dir / SECRETS_FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_if_open(folder)
    file = folder / name
    if not file.exists():
        _write_once(file, make_key())
    return load_key(file)


def find_anchor_seed(data_dir: Path) -> bytes | None:
    """The 32 secret bytes of the key that signs anchors; None where this data directory never had one."""
    file = data_dir / SECRETS_FOLDER / ANCHOR_KEY_FILE
    return load_key(file).private.private_bytes_raw() if file.exists() else None


def load_key(file: Path) -> SigningKey:
    """Raises Rejected where others may read it, Corrupt where it is no Ed25519 key."""
    _refuse_if_open(file)
    try:
        private = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Corrupt(f"{file} holds no readable private key") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise Corrupt(f"{file} holds no Ed25519 key")
    return _named(private)


def _named(private: Ed25519PrivateKey) -> SigningKey:
    public = private.public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return SigningKey(hashlib.sha256(raw).hexdigest()[:16], private, public)


def _write_once(file: Path, key: SigningKey) -> None:
    """Write aside, then link: the file appears whole, and a concurrent start keeps the first key."""
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor, temporary = tempfile.mkstemp(dir=file.parent)  # mkstemp creates with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(pem)
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(temporary, file)
        except FileExistsError:
            return
    finally:
        Path(temporary).unlink()


def _refuse_if_open(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & _OTHERS:
        raise Rejected(
            f"{path} may be read by others (mode {stat.filemode(path.stat().st_mode)}): chmod go= it"
        )
