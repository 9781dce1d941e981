"""Keys and tokens without a server."""

from __future__ import annotations

import base64
import stat

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from deployments.auth.keys import load_or_make_key, make_key
from deployments.auth.tickets import TICKET_AUDIENCE, TicketBooth
from deployments.auth.tokens import AUDIENCE, ISSUER, REMEMBERED_TOKENS, Authority, VerifyingKey
from deployments.ws.codec import json_time
from domain.clock import MAX_NS, NS_PER_S, ManualClock, format_time
from domain.errors import Corrupt, Forbidden, Malformed, Rejected, Unauthenticated
from tests.deployments.serving.kit import START
from tests.deployments.serving.log_directory import LogDirectory


def claims(**changes) -> dict:
    now = START // NS_PER_S
    full = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "role": "viewer",
        "iat": now,
        "exp": now + 60,
        **changes,
    }
    return {name: value for name, value in full.items() if value is not None}


def signed(key, **changes) -> str:
    return jwt.encode(claims(**changes), key.private, algorithm="EdDSA", headers={"kid": key.kid})


def test_a_token_says_who_and_what(authority):
    principal = authority.verify(authority.issue("ann", "trader", 60))
    assert (principal.user, principal.role) == ("ann", "trader")
    assert principal.scopes == {"read", "trade"}
    assert principal.expires_at == START + 60 * NS_PER_S
    with pytest.raises(Forbidden):
        principal.require("operate")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"iss": None},
        {"aud": "another-service"},
        {"aud": None},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 200},
        {"sub": 7},
        {"role": "root"},
        {"role": None},
        {"role": ["admin"]},
        {"exp": START // NS_PER_S - 6},
        {"exp": "9999999999"},
        {"exp": 10**30},
        {"exp": -(10**30)},
        {"exp": 1e30},
        {"iat": -(10**30)},
        {"nbf": -1},
        {"exp": True},
        {"iat": START // NS_PER_S + 600},
        {"nbf": START // NS_PER_S + 600},
    ],
    ids=str,
)
def test_a_claim_that_is_missing_or_wrong_is_refused(authority, signing_key, changes):
    authority.verify(signed(signing_key))
    with pytest.raises(Unauthenticated):
        authority.verify(signed(signing_key, **changes))


def test_a_remembered_token_still_expires(signing_key):
    clock = ManualClock(START)
    authority = Authority(signing_key, clock=clock)
    token = signed(signing_key)
    assert authority.verify(token) == authority.verify(token)
    clock.advance(66 * NS_PER_S)
    with pytest.raises(Unauthenticated, match="expired"):
        authority.verify(token)


def test_a_remembered_token_is_no_ticket_and_ends_with_its_key(signing_key):
    class Outside:
        def __init__(self) -> None:
            self.key: VerifyingKey | None = None

        def find(self, kid: str) -> VerifyingKey | None:
            return self.key if kid == issuer.kid else None

    issuer, source = make_key(), Outside()
    source.key = VerifyingKey(issuer.public, "elsewhere", AUDIENCE)
    authority = Authority(signing_key, clock=ManualClock(START), outside=[source])
    token = signed(issuer, iss="elsewhere")
    assert authority.verify(token).user == authority.verify(token).user == "ann"
    with pytest.raises(Unauthenticated):
        authority.own_claims(token, "tickets")
    source.key = None
    with pytest.raises(Unauthenticated, match="not known"):
        authority.verify(token)


def test_only_so_many_tokens_are_remembered(authority, signing_key):
    for number in range(REMEMBERED_TOKENS + 5):
        authority.verify(signed(signing_key, jti=str(number)))
    assert len(authority._verified) == REMEMBERED_TOKENS


def test_a_little_leeway_is_given_to_clocks(authority, signing_key):
    authority.verify(signed(signing_key, exp=START // NS_PER_S - 3))
    authority.verify(signed(signing_key, iat=START // NS_PER_S + 3))


def test_another_key_or_no_kid_is_refused(authority, signing_key):
    other = make_key()
    with pytest.raises(Unauthenticated, match="not known"):
        authority.verify(signed(other))
    forged = jwt.encode(claims(), other.private, algorithm="EdDSA", headers={"kid": signing_key.kid})
    with pytest.raises(Unauthenticated, match="InvalidSignature"):
        authority.verify(forged)
    with pytest.raises(Unauthenticated):
        authority.verify(jwt.encode(claims(), signing_key.private, algorithm="EdDSA"))


def test_the_algorithm_is_ours_and_never_the_tokens(authority, signing_key):
    headers = {"kid": signing_key.kid}
    raw = signing_key.public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    rsa_key = rsa.generate_private_key(65537, 2048)
    body = ".".join(
        base64.urlsafe_b64encode(msgspec.json.encode(part)).decode().rstrip("=")
        for part in ({"alg": "none", "typ": "JWT", **headers}, claims(role="admin"))
    )
    genuine = signed(signing_key)
    for token in (
        body + ".",
        jwt.encode(claims(), raw, algorithm="HS256", headers=headers),
        jwt.encode(claims(), rsa_key, algorithm="RS256", headers=headers),
        genuine[:-6] + "AAAAAA",
        genuine.rpartition(".")[0] + ".",
    ):
        with pytest.raises(Unauthenticated):
            authority.verify(token)


def test_an_hs256_token_keyed_with_the_public_pem_is_refused(authority, signing_key):
    pem = signing_key.public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    import hashlib
    import hmac

    head = base64.urlsafe_b64encode(
        msgspec.json.encode({"alg": "HS256", "typ": "JWT", "kid": signing_key.kid})
    ).rstrip(b"=")
    body = base64.urlsafe_b64encode(msgspec.json.encode(claims(role="admin"))).rstrip(b"=")
    signature = base64.urlsafe_b64encode(hmac.new(pem, head + b"." + body, hashlib.sha256).digest()).rstrip(
        b"="
    )
    with pytest.raises(Unauthenticated):
        authority.verify(b".".join((head, body, signature)).decode())


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=80)
    | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode() + ".a.b")
)
def test_garbage_is_refused_and_never_repeated(text):
    authority = Authority(make_key(), clock=ManualClock(START))
    with pytest.raises(Unauthenticated) as caught:
        authority.verify(text)
    assert len(text) < 8 or text not in str(caught.value)


def test_what_cannot_be_issued(authority):
    for user, role, ttl_s in (
        ("ann", "root", 60),
        ("", "viewer", 60),
        ("a\nb", "viewer", 60),
        ("ann", "viewer", 0),
        ("ann", "viewer", -1),
        ("ann", "viewer", float("nan")),
        ("ann", "viewer", 1e12),
    ):
        with pytest.raises(Malformed):
            authority.issue(user, role, ttl_s)


def test_outside_issuers_come_in_as_a_key_source(signing_key):
    other = make_key()

    class Outside:
        def find(self, kid):
            return VerifyingKey(other.public, "https://id.example", "hub") if kid == other.kid else None

    authority = Authority(signing_key, clock=ManualClock(START), outside=[Outside()])
    assert authority.verify(signed(other, iss="https://id.example", aud="hub")).user == "ann"
    with pytest.raises(Unauthenticated):
        authority.verify(signed(other))


def test_the_key_is_made_once_and_kept_from_others(tmp_path):
    key = load_or_make_key(tmp_path)
    again = load_or_make_key(tmp_path)
    assert key.kid == again.kid
    folder = tmp_path / "secrets"
    (file,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "PRIVATE" not in repr(key)


def test_a_key_that_others_may_read_or_that_is_damaged_is_refused(tmp_path):
    load_or_make_key(tmp_path)
    (file,) = (tmp_path / "secrets").iterdir()
    file.chmod(0o644)
    with pytest.raises(Rejected, match="read by others"):
        load_or_make_key(tmp_path)
    file.chmod(0o600)
    file.write_text("not a key")
    with pytest.raises(Corrupt):
        load_or_make_key(tmp_path)


@pytest.mark.anyio
async def test_a_ticket_is_no_token_and_a_token_no_ticket(authority):
    directory = LogDirectory()
    booth = TicketBooth(authority, directory)
    holder = authority.verify(authority.issue("ann", "trader", 60))
    ticket = (await booth.sell(holder)).ticket
    with pytest.raises(Unauthenticated):
        authority.verify(ticket)
    with pytest.raises(Unauthenticated):
        booth.read(authority.issue("ann", "trader", 60))
    (name,) = directory.tickets
    assert booth.read(ticket) == replace(holder, ticket=name)


def test_a_ticket_without_a_name_is_still_one_that_has_to_be_used_up(authority):
    claims = {"sub": "ann", "role": "viewer", "until": START}
    nameless = authority.sign(claims, TICKET_AUDIENCE, 30)
    assert TicketBooth(authority, LogDirectory()).read(nameless).ticket == ""


@given(st.integers(0, MAX_NS))
def test_times_on_the_stream_are_written_like_everywhere(ns):
    assert json_time(ns) == format_time(ns)


@given(st.integers(0, 4_000_000), st.sampled_from((1, 1_000, 1_000_000)))
def test_round_times_are_written_like_everywhere(count, unit):
    assert json_time(START + count * unit) == format_time(START + count * unit)
