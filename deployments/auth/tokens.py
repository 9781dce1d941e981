"""Tokens: JWTs signed with EdDSA, and nothing else.

The algorithm is pinned here and never read from the token, so `none` and an HS256 token keyed with our
public key are refused. Issuer and audience are checked, `exp` is required. Outside issuers come in as
further `KeySource`s (a JWKS reader would be one); a source says which issuer and audience its key is for.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from deployments.auth.keys import SigningKey
from deployments.auth.principal import SCOPES, Principal
from deployments.auth.wall_clock import WallClock
from domain.clock import MAX_NS, NS_PER_S, Clock
from domain.errors import Malformed, Unauthenticated

ALGORITHM = "EdDSA"
ISSUER = "financehub"
AUDIENCE = "financehub"
LEEWAY_S = 5
"""Clocks of two machines may differ by so much."""
MAX_TOKEN_LENGTH = 4096
MAX_USER_LENGTH = 128
MAX_TTL_S = 366 * 86_400
MAX_TIME_S = MAX_NS // NS_PER_S
REMEMBERED_TOKENS = 1_024
"""Checking a signature again costs more than the rest of many requests."""
_REQUIRED = ["iss", "aud", "sub", "exp", "iat"]


class VerifyingKey(Struct, frozen=True):
    """A public key, and the only issuer and audience it is good for."""

    public: Ed25519PublicKey
    issuer: str
    audience: str


class _Verified(Struct, frozen=True):
    """Claims whose signature, issuer and audience were found right under that key."""

    kid: str
    key: VerifyingKey
    claims: dict[str, Any]


class KeySource(Protocol):
    """Where public keys come from."""

    def find(self, kid: str) -> VerifyingKey | None: ...


class OwnKey:
    """This instance's key as a source."""

    def __init__(self, key: SigningKey, audience: str) -> None:
        self._kid = key.kid
        self._key = VerifyingKey(key.public, ISSUER, audience)

    def find(self, kid: str) -> VerifyingKey | None:
        return self._key if kid == self._kid else None


class Authority:
    """Issues and verifies. One per process; the key is shared by all gateways of an instance."""

    def __init__(
        self,
        key: SigningKey,
        *,
        clock: Clock | None = None,
        audience: str = AUDIENCE,
        outside: Sequence[KeySource] = (),
    ) -> None:
        self.clock: Clock = clock or WallClock()
        self._key = key
        self._audience = audience
        self._sources: Sequence[KeySource] = (OwnKey(key, audience), *outside)
        self._verified: dict[str, _Verified] = {}

    def issue(self, user: str, role: str, ttl_s: float) -> str:
        """A token for a user; `ttl_s` in (0, MAX_TTL_S]. Raises Malformed."""
        if role not in SCOPES:
            raise Malformed(f"role {role!r} is none of {', '.join(SCOPES)}")
        if not 0 < ttl_s <= MAX_TTL_S:
            raise Malformed(f"a token lives between 0 and {MAX_TTL_S} seconds, not {ttl_s!r}")
        _check_user(user)
        return self.sign({"sub": user, "role": role}, self._audience, ttl_s)

    def verify(self, token: str) -> Principal:
        """Raises Unauthenticated; the message never repeats any part of the token."""
        claims = self.claims(token, self._sources)
        role = claims.get("role")
        if not isinstance(role, str) or role not in SCOPES:
            raise Unauthenticated("the token names no known role")
        return Principal(claims["sub"], role, SCOPES[role], claims["exp"] * NS_PER_S)

    def sign(self, claims: dict[str, Any], audience: str, ttl_s: float) -> str:
        """Our own signature over claims, with issuer, audience, times and a unique id added."""
        now_s = self.clock.now_ns() // NS_PER_S
        full = {
            **claims,
            "iss": ISSUER,
            "aud": audience,
            "iat": now_s,
            "exp": now_s + max(1, round(ttl_s)),
            "jti": secrets.token_urlsafe(12),
        }
        return jwt.encode(full, self._key.private, algorithm=ALGORITHM, headers={"kid": self._key.kid})

    def own_claims(self, token: str, audience: str) -> dict[str, Any]:
        """Claims of a token that we signed for another audience (tickets). Raises Unauthenticated."""
        return self.claims(token, (OwnKey(self._key, audience),))

    def claims(self, token: str, sources: Sequence[KeySource]) -> dict[str, Any]:
        """Signature, issuer, audience and times checked. Raises Unauthenticated."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise Unauthenticated(f"a token has at most {MAX_TOKEN_LENGTH} characters")
        known = self._verified.get(token)
        if known is None or _key_of(known.kid, sources) != known.key:
            known = self._remember(token, _verified(token, sources))
        self._check_times(known.claims)
        return dict(known.claims)

    def _remember(self, token: str, verified: _Verified) -> _Verified:
        """Clients send the same token again and again; its times are checked each time."""
        self._verified[token] = verified
        while len(self._verified) > REMEMBERED_TOKENS:
            del self._verified[next(iter(self._verified))]
        return verified

    def _check_times(self, claims: dict[str, Any]) -> None:
        now_s = self.clock.now_ns() / NS_PER_S
        for name in ("exp", "iat", "nbf"):
            value = claims.get(name, 0)
            if not isinstance(value, int) or isinstance(value, bool):
                raise Unauthenticated(f"the token's {name} is no whole number of seconds")
            if not 0 <= value <= MAX_TIME_S:
                raise Unauthenticated(f"the token's {name} lies outside 1970 to 2100")
        if now_s >= claims["exp"] + LEEWAY_S:
            raise Unauthenticated("the token has expired")
        if max(claims["iat"], claims.get("nbf", 0)) > now_s + LEEWAY_S:
            raise Unauthenticated("the token is not valid yet")
        _check_subject(claims.get("sub"))


def _verified(token: str, sources: Sequence[KeySource]) -> _Verified:
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, RecursionError):
        raise Unauthenticated("the token is no JWT") from None
    key = _key_of(kid, sources) if isinstance(kid, str) else None
    if not isinstance(kid, str) or key is None:
        raise Unauthenticated("the token was signed with a key that is not known here")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.public,
            algorithms=[ALGORITHM],
            audience=key.audience,
            issuer=key.issuer,
            # Times are checked against our own clock, which tests and simulations can move.
            options={
                "require": _REQUIRED,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.PyJWTError as error:
        raise Unauthenticated(f"the token is not valid: {_reason(error)}") from None
    except RecursionError:
        raise Unauthenticated("the token's claims are nested too deeply") from None
    return _Verified(kid, key, claims)


def _key_of(kid: str, sources: Sequence[KeySource]) -> VerifyingKey | None:
    return next((found for source in sources if (found := source.find(kid)) is not None), None)


def _reason(error: jwt.PyJWTError) -> str:
    """Only the class of the failure: PyJWT's own messages may quote the token."""
    return type(error).__name__.removesuffix("Error")


def _check_user(user: str) -> None:
    if not user or len(user) > MAX_USER_LENGTH or not user.isprintable():
        raise Malformed(f"a user name has 1 to {MAX_USER_LENGTH} printable characters")


def _check_subject(subject: object) -> None:
    try:
        _check_user(subject if isinstance(subject, str) else "")
    except Malformed:
        raise Unauthenticated("the token names no user") from None
