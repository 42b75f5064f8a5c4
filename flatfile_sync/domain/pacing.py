"""What a wallet platform needs of the store, as small Protocols that the daemon hands over."""

from typing import Protocol


class Pace(Protocol):
    """A platform's rate, shared by every worker of every process."""

    async def take(self, count: int = 1) -> None:
        """Return once `count` calls may go; whoever asked first goes first."""
        ...


class NoticeLedger(Protocol):
    """How many notifying messages a pass has had on a platform within the platform's window."""

    async def claim(self, pass_no: int, key: str) -> bool:
        """Return whether one more may go now, and count it; `key` names the message, so that a repeat counts once."""
        ...


class Circuit(Protocol):
    """Whether a credential or topic is refused by its platform: then nothing more goes out on it."""

    async def is_open(self, name: str) -> bool:
        """Return whether nothing may go out under the name."""
        ...

    async def open(self, name: str, reason: str) -> None:
        """Stop everything under the name; an event tells the operator."""
        ...

    async def close(self, name: str) -> None:
        """Let it go on."""
        ...
