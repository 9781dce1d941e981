"""Takes credentials out of addresses before they are written anywhere."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

REDACTED = "REDACTED"

_SECRET_NAMES = frozenset({
    "key", "token", "secret", "signature", "sig", "sign", "crumb", "password", "passwd", "pass", "passphrase",
    "pwd", "auth", "authorization", "bearer", "credential", "credentials", "apikey", "accesskey",
    "clientsecret", "ticket", "jwt", "session", "sessionid",
})  # fmt: skip
_SECRET_ENDS = ("apikey", "accesskey", "secretkey", "privatekey", "token", "secret", "signature", "password")
_NOT_LETTERS = re.compile(r"[^a-z0-9]")
_USER_INFO = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.\-]*://)[^/?#@]*@")
_PAIR = re.compile(r"(?P<lead>[?&;#])(?P<name>[^=&;#?]*)=(?P<value>[^&;#]*)")


@lru_cache(maxsize=1024)
def redact(url: str) -> str:
    """The address with the values of secret parameters and any `user:password@` replaced."""
    return _PAIR.sub(_redact_pair, _USER_INFO.sub(rf"\1{REDACTED}@", url))


def _redact_pair(pair: re.Match[str]) -> str:
    if not is_secret_name(pair["name"]) or not pair["value"]:
        return pair[0]
    return f"{pair['lead']}{pair['name']}={REDACTED}"


def is_secret_name(name: str) -> bool:
    """Whether a parameter of this name carries a credential: `apiKey`, `x-cg-demo-api-key`, `token`..."""
    letters = _NOT_LETTERS.sub("", unquote(name).lower())
    return letters in _SECRET_NAMES or letters.endswith(_SECRET_ENDS)
