"""What can go wrong, classed by what the caller should do next.

    FinanceHubError
    ├── Retryable            try again later; nothing was done
    │   ├── Unavailable      a dependency or an owner cannot be reached now
    │   ├── Throttled        a rate limit; `retry_after_s` says when to return
    │   └── OutcomeUnknown   the write may or may not have happened: claim and read the head
    ├── Rejected             the caller's fault; the same request fails again
    │   ├── Malformed        bytes or fields that cannot be understood
    │   ├── NotFound         no such thing
    │   ├── Gone             it was there, and retention has dropped it
    │   ├── TimeUnclear      a time at which the log's clock was wrong: it names no place
    │   ├── Ambiguous        an alias fits several instruments
    │   ├── Unauthenticated  no valid credential
    │   ├── Forbidden        a valid credential without the right
    │   └── OverLimit        a quota or bound of this system
    ├── Conflict             somebody else was first
    │   ├── NotOwner         another epoch owns the partition
    │   └── OutOfSequence    a batch is ahead of the next admissible sequence
    └── Corrupt              stored data contradict themselves: stop

Arguments are positional, so that every error survives pickling between processes.
"""

from __future__ import annotations


class FinanceHubError(Exception):
    """Root of every error that this system raises on purpose."""


class Retryable(FinanceHubError):
    """Nothing was done; the same request may succeed later."""


class Unavailable(Retryable):
    """A dependency or an owner cannot be reached now."""


class Throttled(Retryable):
    """A rate limit of somebody else; `retry_after_s` is None where it was not said."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return str(self.args[0])


class OutcomeUnknown(Retryable):
    """The write may have happened. Never retry it: claim the partition again and read the head."""


class Rejected(FinanceHubError):
    """The caller's fault: the same request fails again."""


class Malformed(Rejected):
    """Bytes or fields that cannot be understood."""


class NotFound(Rejected):
    """No such thing."""


class Gone(Rejected):
    """Retention has dropped it; `kept_from` is the first offset of the partition that is still there."""

    def __init__(self, message: str, kept_from: int = 0) -> None:
        super().__init__(message, kept_from)
        self.kept_from = kept_from

    def __str__(self) -> str:
        return str(self.args[0])


class TimeUnclear(Rejected):
    """A time at which the log's clock was wrong: it names no place in the log.

    `known_ns`: the newest time before it that does, ns UTC.
    """

    def __init__(self, message: str, known_ns: int = 0) -> None:
        super().__init__(message, known_ns)
        self.known_ns = known_ns

    def __str__(self) -> str:
        return str(self.args[0])


class Ambiguous(Rejected):
    """An alias fits several instruments; `candidates` lists them."""

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message, candidates)
        self.candidates = candidates

    def __str__(self) -> str:
        return str(self.args[0])


class Unauthenticated(Rejected):
    """No valid credential."""


class Forbidden(Rejected):
    """A valid credential without the right."""


class OverLimit(Rejected):
    """A quota or bound of this system."""


class Conflict(FinanceHubError):
    """Somebody else was first."""


class NotOwner(Conflict):
    """Another epoch owns the partition."""


class OutOfSequence(Conflict):
    """A batch is ahead of the next admissible sequence; `expected` is that sequence."""

    def __init__(self, message: str, expected: int = 0) -> None:
        super().__init__(message, expected)
        self.expected = expected

    def __str__(self) -> str:
        return str(self.args[0])


class Corrupt(FinanceHubError):
    """Stored data contradict themselves: stop and look."""
