"""How a file writes its cells."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """RFC 4180 with the delimiter that the header shows; quotes are doubled inside quotes."""

    delimiter: Literal[",", ";", "\t"]
    bom: bool
    line_end: Literal["\n", "\r\n"]
