"""Opening: the file behind a drop's records. What came in layers is unpacked into the work folder of the drop.

Offsets, lines and rejects are those of the unpacked bytes; the archive keeps what was sent.
"""

import asyncio
from pathlib import Path
from typing import Final

from flatfile_sync.domain.drop import Drop
from flatfile_sync.domain.project import Feed
from flatfile_sync.files.layers import HEAD, Opened, layer_of, open_layers
from flatfile_sync.pipeline.kit import Kit

_CONTENT: Final = "content"


async def outermost(blob: str, *, kit: Kit) -> tuple[str, ...]:
    """Return the layer that a blob's first bytes show, if there is one."""
    found = layer_of(await asyncio.to_thread(kit.spool.head, blob, HEAD))
    return (found.value,) if found is not None else ()


async def open_drop(drop: Drop, feed: Feed, *, kit: Kit) -> Opened:
    """Return what lies inside the layers of a drop that has some."""
    target = kit.spool.work(drop.id) / _CONTENT
    return await kit.compute.run(open_layers, kit.spool.path(drop.blob), target, limits=feed.layers)


def content_of(drop: Drop, *, kit: Kit) -> Path:
    """Return the file that the record index of a drop points into."""
    return kit.spool.work(drop.id) / _CONTENT if "content_sha256" in drop.summary else kit.spool.path(drop.blob)
