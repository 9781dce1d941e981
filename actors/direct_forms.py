"""What crosses an actor's door: requests, replies, and their forms.

msgpack, but for the questions: those of `CALL` and their answers are pickled, as Ray would do. Both ends
have proven by then that they know the secret. Every `read_` raises MsgspecError where it cannot.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.answers import PollReply
from actors.bar_text import BarsPage
from actors.intake import Ack
from actors.packed import PackedEvents
from domain.envelope import Cursor
from domain.errors import FinanceHubError, Malformed
from storage.codec import decode_recorded, encode_recorded

OBSERVE, POLL, CALL, CANCEL = 1, 2, 3, 4
"""A `CANCEL` has the number of a call that nobody waits for any more; it gets no reply of its own."""
DONE, NOT_OWNER, UNAVAILABLE, RAISED = 0, 1, 2, 3

Payload = list[tuple[str, bytes]]
Called = tuple[str, Sequence[Any], Mapping[str, Any]]
"""(method, arguments, named ones)"""
Envelope = tuple[int, int, msgspec.Raw]
"""Of a request (number, kind, what is asked), of a reply (number, status, what is said)."""
PollForm = tuple[dict[str, bytes], dict[str, int], dict[str, int]]
"""A `PollReply`, the events of a partition in the rows of the log's codec."""

encode = msgspec.msgpack.Encoder().encode
_envelope = msgspec.msgpack.Decoder(Envelope)
_payload = msgspec.msgpack.Decoder(Payload)
_asked_poll = msgspec.msgpack.Decoder(tuple[dict[str, int], float])
_acks = msgspec.msgpack.Decoder(list[Ack])
_poll_reply = msgspec.msgpack.Decoder(PollForm)
_text = msgspec.msgpack.Decoder(str)
_bytes = msgspec.msgpack.Decoder(bytes)
_page = msgspec.msgpack.Decoder(tuple[BarsPage, Cursor])
_PAGES = frozenset(("bars_page", "bars_page_at"))
"""Their answers have half a megabyte, which takes longer to pickle than to copy."""


def read_envelope(frame: bytes) -> Envelope:
    """What it carries is read by whoever knows its kind."""
    found: Envelope = _envelope.decode(frame)
    return found


def read_payload(asked: msgspec.Raw) -> Payload:
    return _payload.decode(asked)


def read_poll(asked: msgspec.Raw) -> tuple[dict[str, int], float]:
    """(after, wait_s)."""
    return _asked_poll.decode(asked)


def read_acks(said: msgspec.Raw) -> list[Ack]:
    return _acks.decode(said)


def read_text(said: msgspec.Raw) -> str:
    return _text.decode(said)


def pickled(what: object) -> bytes:
    return pickle.dumps(what, pickle.HIGHEST_PROTOCOL)


def read_called(asked: msgspec.Raw) -> Called:
    found: Called = _unpickled(asked)
    return found


def answer_form(method: str, answer: object) -> object:
    return answer if method in _PAGES else pickled(answer)


def read_answer(method: str, said: msgspec.Raw) -> Any:
    """Raises Malformed, too, where it is of another build."""
    return _page.decode(said) if method in _PAGES else _unpickled(said)


def read_error(said: msgspec.Raw) -> FinanceHubError:
    """The same of what a method raised."""
    found: FinanceHubError = _unpickled(said)
    return found


def _unpickled(form: msgspec.Raw) -> Any:
    try:
        return pickle.loads(_bytes.decode(form))  # noqa: S301 - of an end that has proven itself
    except Exception as error:  # noqa: BLE001 - pickle raises anything at all
        raise Malformed(f"not of this build: {error!r}") from None


def poll_form(reply: PollReply) -> PollForm:
    events = {partition: encode_recorded(found) for partition, found in reply.events.items()}
    return events, reply.behind, reply.epochs


def read_poll_reply(said: msgspec.Raw) -> PollReply:
    """Raises Malformed, too, where the events are damaged."""
    packed, behind, epochs = _poll_reply.decode(said)
    reply = PollReply(events={}, behind=behind, epochs=epochs)
    for partition, data in packed.items():
        reply.events[partition] = PackedEvents(decode_recorded(data))
    return reply
