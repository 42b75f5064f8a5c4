"""Layers off: what a file holds, through the layers that its own bytes say it has. Names play no part.

A layer is unpacked into a file beside the target, which the next layer is unpacked from; memory does not grow with
either. What is wrong is an issue that names the layer, and then there is no content.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.layers import MAX_LAYERS, Layer, LayerLimits
from flatfile_sync.files.streams import DECODERS, begins, decoded
from flatfile_sync.files.tape import Tape
from flatfile_sync.files.zips import member_tape

HEAD: Final = 10
"""How many bytes of a file say which layer it is."""

# Below this no ratio is suspicious: a thousand equal rows may well be packed into a few bytes.
_RATIO_FROM: Final = 16 << 20
_BUFFER: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The layers, outermost first, and size and sha256 of the content; with an `issue` there is none."""

    layers: tuple[Layer, ...]
    bytes: int = 0
    sha256: str = ""
    issue: Issue | None = None


def layer_of(head: bytes) -> Layer | None:
    """Return the layer that the first `HEAD` bytes of a file begin, or None if they are content."""
    return next((layer for layer in Layer if begins(head, layer)), None)


def open_layers(source: Path, target: Path, *, limits: LayerLimits) -> Opened:
    """Unpack `source` into `target`, durably, and return what was found; without any layer nothing is written."""
    layers: list[Layer] = []
    inner, size, sha256 = source, 0, ""
    problem: Issue | None = None
    while problem is None and (layer := layer_of(_head(inner))) is not None:
        if len(layers) == MAX_LAYERS:
            problem = issue("F13", found=layer, limit=MAX_LAYERS)
            break
        layers.append(layer)
        part = target.with_name(f"{target.name}.{len(layers)}.part")
        with inner.open("rb", buffering=_BUFFER) as packed, part.open("wb") as unpacked:
            problem, size, sha256 = _unpack(layer, packed, unpacked, limits)
            os.fsync(unpacked.fileno())
        if inner != source:
            inner.unlink()
        inner = part
    if inner != source:
        if problem is None:
            inner.rename(target)
        else:
            inner.unlink()
    if problem is not None:
        return Opened(layers=tuple(layers), issue=problem)
    return Opened(layers=tuple(layers), bytes=size, sha256=sha256)


def _head(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(HEAD)


def _unpack(layer: Layer, packed: BinaryIO, unpacked: BinaryIO, limits: LayerLimits) -> tuple[Issue | None, int, str]:
    """Return what is wrong with a layer, and size and sha256 of what came out of it."""
    size, digest = 0, hashlib.sha256()
    found = _reader(layer, packed, limits)
    if isinstance(found, Issue):
        return found, 0, ""
    tape, values = found
    for value in values:
        if isinstance(value, Issue):
            return value, 0, ""
        size += len(value)
        rule = _exceeded(size, tape.taken, limits)
        if rule:
            limit = getattr(limits, rule)
            return issue("F09", layer=layer, offset=tape.position, observed=size, rule=rule, limit=limit), 0, ""
        digest.update(value)
        unpacked.write(value)
    return None, size, digest.hexdigest()


def _reader(layer: Layer, packed: BinaryIO, limits: LayerLimits) -> tuple[Tape, Iterator[bytes | Issue]] | Issue:
    size = os.fstat(packed.fileno()).st_size
    if layer is Layer.ZIP:
        return member_tape(packed, size, max_members=limits.max_members)
    tape = Tape(packed, 0, size)
    return tape, decoded(tape, DECODERS[layer], layer)


def _exceeded(size: int, taken: int, limits: LayerLimits) -> str:
    """Return the name of the limit that a layer exceeds, or nothing."""
    if size > limits.max_bytes:
        return "max_bytes"
    return "max_ratio" if size > max(_RATIO_FROM, limits.max_ratio * taken) else ""
