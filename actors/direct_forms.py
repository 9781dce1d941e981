"""What crosses a shard's door: requests, replies, and their forms in msgpack.

Every `read_` raises MsgspecError where it cannot.
"""

from __future__ import annotations

import msgspec

from actors.answers import PollReply
from actors.intake import Ack
from actors.packed import PackedEvents
from storage.codec import decode_recorded, encode_recorded

OBSERVE, POLL = 1, 2
DONE, NOT_OWNER, UNAVAILABLE = 0, 1, 2

Payload = list[tuple[str, bytes]]
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
