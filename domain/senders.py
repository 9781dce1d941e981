"""How far each sender's batches have been admitted, and its clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from domain.envelope import Admitted, Batch
from domain.errors import Conflict, Corrupt, OutOfSequence


class SenderState(Struct, frozen=True, array_like=True):
    """A feed's place: last admitted sequence of its incarnation, and its clock in ns UTC."""

    sender: str
    incarnation: int
    sequence: int
    clock: int


Places = Mapping[str, SenderState | None]
"""By sender; None of one that is not known."""


class Senders:
    """Of one partition. A batch is admitted once, in sequence; an incarnation's clock never goes back."""

    def __init__(self, states: Iterable[SenderState] = ()) -> None:
        self._states = {state.sender: state for state in states}

    def snapshot(self, instead: Places | None = None) -> tuple[SenderState, ...]:
        """`instead`: senders whose place is told as another one, or not at all."""
        states = {**self._states, **(instead or {})}
        return tuple(state for _, state in sorted(states.items()) if state is not None)

    def place(self, sender: str) -> SenderState | None:
        return self._states.get(sender)

    def last(self, sender: str) -> tuple[int, int]:
        """(incarnation, sequence) admitted last; (0, 0) of an unknown sender."""
        state = self._states.get(sender)
        return (0, 0) if state is None else (state.incarnation, state.sequence)

    def clock(self, sender: str, clock: int) -> int:
        """The later of a sender's clock and a new one."""
        state = self._states.get(sender)
        return clock if state is None else max(clock, state.clock)

    def clock_of(self, admitted: Admitted) -> int:
        """The same for a batch of the log, which says itself with what clock an incarnation began."""
        begins = admitted.incarnation > self.last(admitted.sender)[0]
        return admitted.clock if begins else self.clock(admitted.sender, admitted.clock)

    def set_back_from(self, batch: Batch, tolerance_ns: int) -> int | None:
        """The old incarnation's clock, where the wall time of a new one lies before it; else None."""
        state = self._states.get(batch.sender)
        if state is None or not batch.wall or batch.incarnation <= state.incarnation:
            return None
        return state.clock if batch.clock + tolerance_ns < state.clock else None

    def is_next(self, batch: Batch) -> bool:
        """False for a batch admitted before. Raises Conflict, OutOfSequence."""
        incarnation, sequence = self.last(batch.sender)
        if batch.incarnation < incarnation:
            raise Conflict(
                f"batch of {batch.sender!r} incarnation {batch.incarnation}, already at {incarnation}"
            )
        if batch.incarnation > incarnation:
            sequence = 0
        expected = sequence + 1
        if batch.sequence > expected or (batch.sequence < 1 and batch.events):
            raise OutOfSequence(f"batch {batch.sequence} of {batch.sender!r}, expected {expected}", expected)
        return batch.sequence == expected or (batch.sequence == sequence and not batch.events)

    def check_follows(self, admitted: Admitted, count: int) -> None:
        """Raises Corrupt where a trace does not follow the one before or does not count its events."""
        incarnation, sequence = self.last(admitted.sender)
        if admitted.incarnation > incarnation:
            sequence = 0
        follows = admitted.incarnation >= incarnation and admitted.sequence in (sequence, sequence + 1)
        if not follows or admitted.count != count:
            raise Corrupt(f"{admitted!r} of {count} events does not follow {incarnation}/{sequence}")

    def next_of(self, sender: str, incarnation: int) -> int:
        """The sequence with which an incarnation goes on."""
        before, sequence = self.last(sender)
        return sequence + 1 if incarnation == before else 1

    def note(self, admitted: Admitted) -> None:
        clock = self.clock_of(admitted)
        self._states[admitted.sender] = SenderState(
            admitted.sender, admitted.incarnation, admitted.sequence, clock
        )
