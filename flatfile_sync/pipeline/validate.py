"""Validate: text chunks become checked chunks; a wrong cell is an issue of its record."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from flatfile_sync.domain.drop import Drop
from flatfile_sync.domain.issues import Severity
from flatfile_sync.domain.project import Feed, Project
from flatfile_sync.pipeline.checking import CheckedChunk, check_chunk, mark_repeated, place_chunk
from flatfile_sync.pipeline.crew import in_order
from flatfile_sync.pipeline.flow import Checked, Reading, Slice
from flatfile_sync.pipeline.header import check_header
from flatfile_sync.pipeline.kit import Kit


async def validate(
    drop: Drop,
    reading: Reading,
    project: Project,
    feed: Feed,
    *,
    kit: Kit,
    progress: Callable[[int], None] = lambda _: None,
) -> Checked:
    """Return the file as canonical values; issues of header and file refuse it as a whole."""
    folder = kit.spool.work(drop.id)
    issues = list(reading.issues)
    columns = reading.columns
    if columns:
        columns, found = check_header([column.name for column in columns], project, feed)
        issues += found
    refused = any(problem.severity is Severity.ERROR for problem in issues)

    async def check(part: Slice) -> CheckedChunk:
        source, target = folder / part.file, folder / _name(part)
        if refused:
            return await kit.compute.run(place_chunk, source, target, operation=feed.operation)
        return await kit.compute.run(check_chunk, source, target, columns=columns, project=project, feed=feed)

    chunks: list[CheckedChunk] = []
    failed = done = 0
    async for chunk in in_order(reading.slices, check, width=kit.compute.width * 2):
        chunks.append(chunk)
        failed += chunk.failed
        done += reading.slices[len(chunks) - 1].records
        progress(done)
    slices = tuple(replace(part, file=_name(part)) for part in reading.slices)
    repeated = _repeated(chunks)
    for part in slices:
        here = {record: found for record, found in repeated.items() if part.first <= record < part.first + part.records}
        if here:
            failed += await kit.compute.run(mark_repeated, folder / part.file, here, project=project)
    return Checked(reading=replace(reading, columns=columns), slices=slices, issues=tuple(issues), failed=failed)


def _name(part: Slice) -> str:
    return f"checked-{part.no:05}.arrow"


def _repeated(chunks: Sequence[CheckedChunk]) -> dict[int, tuple[str, int]]:
    """Return record -> (column, first record with the value) of every later record with a value that must be unique."""
    result: dict[int, tuple[str, int]] = {}
    for column in {name for chunk in chunks for name in chunk.repeats}:
        hashes = np.concatenate([chunk.repeats[column][0] for chunk in chunks])
        records = np.concatenate([chunk.repeats[column][1] for chunk in chunks])
        _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        later = np.flatnonzero(first[inverse] != np.arange(len(hashes)))
        for place in later:
            result.setdefault(int(records[place]), (column, int(records[first[inverse[place]]])))
    return result
