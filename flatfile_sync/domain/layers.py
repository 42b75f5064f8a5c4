"""What may lie around a file's content, and how much of it a feed takes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_LAYERS: Final = 2
"""The file contract, section 5: a layer in a layer, and no more."""

ENDINGS: Final = (".gz", ".zst", ".bz2", ".zip")
"""What senders append to a name. It helps a feed's globs to find the name; what is inside, the bytes say."""


class Layer(StrEnum):
    """A way to pack bytes, told by the first bytes of the result."""

    GZIP = "gzip"
    ZIP = "zip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLimits:
    """Limits of each layer.

    `max_bytes` is what may come out of it; `max_ratio` how many times more than went in, once more than 16 MiB have
    come out; `max_members` how many entries a zip may list, folders among them.
    """

    max_bytes: int = 4 << 30
    max_ratio: int = 200
    max_members: int = 100


def unpacked_name(name: str) -> str:
    """Return a file name without the endings of its layers."""
    for _ in range(MAX_LAYERS):
        ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
        name = name.removesuffix(name[len(name) - len(ending) :]) if ending else name
    return name
