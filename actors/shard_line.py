"""The client of a shard's door: the two calls that have a form of their own beside all others."""

from __future__ import annotations

from collections.abc import Mapping

from actors import direct_forms as forms
from actors.answers import PollReply
from actors.door_line import DoorLine
from actors.intake import Ack

OBSERVE_S = 5.0
"""A door that is silent for so long is given up: the batches come again, by Ray."""


class ShardLine(DoorLine):
    """One shard, as a feed or a gateway reaches it hundreds of times a second."""

    async def observe(self, payload: forms.Payload) -> list[Ack]:
        """Raises Unavailable."""
        return self.read(await self.exchange(forms.OBSERVE, payload, OBSERVE_S), forms.read_acks)

    async def poll(self, after: Mapping[str, int], wait_s: float, timeout_s: float) -> PollReply:
        """Raises NotOwner, Unavailable."""
        said = await self.exchange(forms.POLL, (after, wait_s), timeout_s)
        return self.read(said, forms.read_poll_reply)
