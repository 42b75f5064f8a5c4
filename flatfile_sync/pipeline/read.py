"""Read: a file's bytes become text chunks in the drop's work folder; memory does not grow with the file."""

from collections.abc import Callable

from flatfile_sync.domain.columns import Column, Role
from flatfile_sync.domain.drop import Drop
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.project import Feed, Project
from flatfile_sync.files.dialect import Dialect
from flatfile_sync.files.scan import scan
from flatfile_sync.files.table import Cut, write_slice
from flatfile_sync.pipeline.crew import in_order
from flatfile_sync.pipeline.flow import Reading, Slice
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.opening import content_of, open_drop

_PLAIN = Dialect(delimiter=",", bom=False, line_end="\n")


async def read(
    drop: Drop, project: Project, feed: Feed, *, kit: Kit, progress: Callable[[int], None] = lambda _: None
) -> Reading:
    """Return the file as columns of text; what is wrong with it as a whole is in `issues`."""
    source, folder = content_of(drop, kit=kit), kit.spool.work(drop.id)
    if drop.layers and not (source.is_file() and "content_sha256" in drop.summary):
        opened = await open_drop(drop, feed, kit=kit)
        if opened.issue is not None:
            return _unopened(opened.issue)
    found = await kit.compute.run(scan, source, chunk_records=kit.chunk_records, max_records=feed.max_records)
    columns = tuple(Column(name, Role.UNKNOWN) for name in found.header)
    reading = Reading(
        columns=columns,
        header_bytes=found.header_bytes,
        dialect=found.dialect,
        records=found.records,
        slices=tuple(
            Slice(no=cut.no, file=f"text-{cut.no:05}.arrow", first=cut.first, records=cut.records) for cut in found.cuts
        ),
        issues=found.issues,
    )
    refused = reading.refused or len(set(found.header)) != len(found.header)
    tokens = (*feed.null_tokens, *(token for token in project.model.missing_values if token))

    async def write(cut: Cut) -> int:
        await kit.compute.run(
            write_slice,
            source,
            folder / f"text-{cut.no:05}.arrow",
            cut,
            header=found.header,
            dialect=found.dialect or _PLAIN,
            null_tokens=tokens,
            refused=refused,
        )
        return cut.records

    done = 0
    async for records in in_order(found.cuts, write, width=kit.compute.width * 2):
        done += records
        progress(done)
    return reading


def _unopened(problem: Issue) -> Reading:
    """Return a file whose layers do not open. What came out before the damage is no file: none of it is read."""
    return Reading(columns=(), header_bytes=b"", dialect=None, records=0, slices=(), issues=(problem,))
