"""What `doctor` says about one thing."""

from typing import Literal, NamedTuple

Level = Literal["ok", "warn", "bad"]


class Finding(NamedTuple):
    """What was looked at, how it is, what was found and what to do about it."""

    about: str
    level: Level
    found: str
    remedy: str = ""


def failed(about: str, error: Exception) -> Finding:
    """Return an error of ours as a finding: what is said after the semicolon is the remedy."""
    found, _, remedy = str(error).partition("; ")
    return Finding(about, "bad", found, remedy)
