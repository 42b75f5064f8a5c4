"""One chunk of records against the passes as they are now: pure, the same for apply and for a dry run.

Records of one pass are taken in record order, as if one by one, and owe one push. What is returned is what to write;
nothing is written here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.merge import Document, equal, merge
from flatfile_sync.domain.states import Notice, Operation, Owed, PassStatus, RecordStatus
from flatfile_sync.pipeline.owing import NOWHERE, Platforms, owed_words, reaches
from flatfile_sync.store.passes import PassRow, Rewrite, Stamp, rewritten, stamp

_SECOND: Final = 1_000_000
# Beyond this many different sets of fields per pass only equal sets are compared: a hostile file stays linear.
_MOST_SETS: Final = 64


Owing = tuple[int, str, int, int]
"""(pass number, platform, revision, record) of a delivery owed."""


class Order(NamedTuple):
    """What one record asks for (a row of a plan chunk)."""

    record: int
    line: int
    op: str
    pass_no: int
    pass_id: str | None
    pass_type: str | None
    patch: dict[str, Any]
    extra: dict[str, Any]
    ids: dict[str, str]


@dataclass(slots=True)
class Verdict:
    """What became of one record; see `files.columns.VERDICT`."""

    status: RecordStatus
    changed: tuple[str, ...] = ()
    message: str = ""
    pass_no: int = 0
    pass_id: str | None = None
    revision: int | None = None
    apple: Owed = Owed.NONE
    google: Owed = Owed.NONE
    notification: Notice = Notice.NONE
    link: str | None = None
    problem: Issue | None = None


@dataclass(slots=True)
class Outcome:
    """What a chunk changes: passes as they will be, new ones with their identifiers and records, what is owed."""

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    seen: list[Stamp] = field(default_factory=list)
    """The passes of `rewrites` as they were."""
    rewrites: list[Rewrite] = field(default_factory=list)
    creations: list[tuple[PassRow, dict[str, str], list[int]]] = field(default_factory=list)
    content: list[tuple[int, int, Owed, Owed]] = field(default_factory=list)
    """(pass number, record that owes it, Apple's word, Google's) of each pass whose content changed; creations owe
    through `creations`."""
    messages: list[tuple[int, Order]] = field(default_factory=list)
    corrections: list[tuple[int, Order]] = field(default_factory=list)
    """(pass number, record) of each record with `set.id` columns."""

    def owed(self) -> list[Owing]:
        """Return the deliveries that changed content owes."""
        rows: list[Owing] = []
        for number, record, *words in self.content:
            revision = self.verdicts[record].revision or 0
            for platform, word in zip(("apple", "google"), words, strict=True):
                if word is Owed.QUEUED:
                    rows.append((number, platform, revision, record))
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a merge depends on besides records and passes. `now` in microseconds since 1970.

    `seq` says how old the data is: of a repaired rejects file, the sequence of the drop it began as. `platforms` says
    what is shown of each pass type, `notices` the word of each record whose message is not simply queued.
    """

    project: str
    feed: str
    seq: int
    now: int
    refuse_stale: bool
    platforms: Platforms
    notices: Mapping[int, Notice] = field(default_factory=dict)


def merge_chunk(
    orders: Sequence[Order],
    stored: Mapping[int, Sequence[Any]],
    refused: Mapping[int, Issue],
    *,
    around: Circumstances,
) -> Outcome:
    """Return what a chunk changes.

    `stored` are the passes by number, in the order of `PassRow`; `refused` are records whose corrected identifier is
    not to be had.
    """
    result = Outcome()
    groups: dict[int, Sequence[Order]] = {order.pass_no: (order,) for order in orders}
    if refused or len(groups) < len(orders):
        groups = _groups(orders, refused, result)
    for pass_no, group in groups.items():
        row = stored.get(pass_no)
        if row is not None and len(group) == 1 and not group[0].extra and group[0].op != Operation.VOID:
            _merge_values(row, group[0], result, around)
        elif row is not None:
            _merge_pass(PassRow._make(row), group, result, around)
        elif pass_no < 0:
            _merge_new(group, result, around)
        else:
            for order in group:
                problem = issue("A01", record=order.record)
                result.verdicts[order.record] = Verdict(RecordStatus.REJECTED, problem=problem)
    return result


def _groups(orders: Sequence[Order], refused: Mapping[int, Issue], result: Outcome) -> dict[int, Sequence[Order]]:
    """Return pass number -> its records in order, without those that are refused."""
    groups: dict[int, list[Order]] = {}
    for order in orders:
        if order.record in refused:
            result.verdicts[order.record] = Verdict(RecordStatus.REJECTED, problem=refused[order.record])
        else:
            groups.setdefault(order.pass_no, []).append(order)
    return dict(groups)


def _merge_new(group: Sequence[Order], result: Outcome, around: Circumstances) -> None:
    """Create a pass with the first record that can; those before it find none.

    The creator that plan chose is missing where its corrected identifier was refused.
    """
    for place, order in enumerate(group):
        if order.ids:
            _merge_pass(_newborn(order, around), group[place:], result, around)
            return
        problem = issue("K02", record=order.record, key="the identifiers of a record that was rejected")
        result.verdicts[order.record] = Verdict(RecordStatus.REJECTED, problem=problem)


def _newborn(order: Order, around: Circumstances) -> PassRow:
    """Return the pass that a record creates, before any of its values."""
    return PassRow(
        no=order.pass_no,
        id=order.pass_id or "",
        project=around.project,
        pass_type=order.pass_type or "",
        status=PassStatus.ACTIVE,
        revision=0,
        document="{}",
        expires_at=None,
        writers="{}",
        apple=0,
        google=0,
        modified_at=0,
    )


@dataclass(slots=True)
class _Working:
    """A pass while the records of a chunk are laid over it. `last` is the last record that changed something, or 0."""

    row: PassRow
    document: Document
    status: str
    expires_at: str | None
    last: int = 0

    @property
    def creating(self) -> bool:
        return self.row.no < 0

    def stands_at(self, before: Document) -> bool:
        """Return whether nothing is different from what is stored, where the document was `before`."""
        unmoved = (self.status, self.expires_at) == (self.row.status, self.row.expires_at)
        return unmoved and equal(before, self.document)

    def net(self, changed: Iterable[str], before: Document) -> set[str]:
        """Return which of the changes are still there in the end, where the document was `before`."""
        stored = {"status": self.row.status, "expires_at": self.row.expires_at, **before}
        now = {"status": self.status, "expires_at": self.expires_at, **self.document}
        return {name for name in changed if not _same(stored.get(name), now.get(name))}

    def take(self, order: Order) -> tuple[str, ...]:
        """Lay one record over the pass and return what it changed."""
        changed = merge(self.document, order.patch)
        if order.op != Operation.VOID and not order.extra:
            return changed
        status = PassStatus.VOIDED.value if order.op == Operation.VOID else order.extra.get("status", self.status)
        expires_at = order.extra.get("expires_at", self.expires_at)
        differs = (("expires_at", expires_at != self.expires_at), ("status", status != self.status))
        self.status, self.expires_at = status, expires_at
        return (
            *changed,
            *(name for name, different in differs if different),
            *(f"set.id.{kind}" for kind in order.extra.get("set_ids", ())),
        )


def _same(one: object, other: object) -> bool:
    """Return whether two values say the same; `True` and `1` differ."""
    return one == other and one.__class__ is other.__class__


def _merge_values(row: Sequence[Any], order: Order, result: Outcome, around: Circumstances) -> None:
    """Merge the usual case without detours: the only record of a pass that exists, with nothing but values."""
    no, pass_id, _, pass_type, status, revision, text, expires_at, writers, apple, google, modified_at = row
    if around.refuse_stale and _stale(PassRow._make(row), orjson.loads(writers), (order,), result, around):
        return
    document: Document = orjson.loads(text)
    merged = document | order.patch
    if None in order.patch.values():
        merged = {key: value for key, value in merged.items() if value is not None}
    after = orjson.dumps(merged).decode()
    # Most records of an export repeat what is stored; as text that is seen at once, types and all.
    changed = merge(document, order.patch) if after != text else ()
    if not changed:
        result.verdicts[order.record] = Verdict(RecordStatus.UNCHANGED, (), "", no, pass_id, revision)
        return
    words = owed_words(apple, google, changed, around.platforms.get(pass_type, NOWHERE))
    result.verdicts[order.record] = Verdict(RecordStatus.APPLIED, changed, "", no, pass_id, revision + 1, *words)
    result.seen.append((no, revision, apple, google))
    result.rewrites.append(
        (
            status,
            revision + 1,
            after,
            expires_at,
            _written(writers, around.feed, around.seq),
            _modified(modified_at, around),
            no,
        )
    )
    result.content.append((no, order.record, *words))


def _stale(
    row: PassRow, writers: Mapping[str, int], group: Sequence[Order], result: Outcome, around: Circumstances
) -> bool:
    """Refuse the records of a pass that newer data of the same feed has written; return whether it has."""
    if not around.refuse_stale or writers.get(around.feed, 0) <= around.seq:
        return False
    for order in group:
        problem = issue("C01", record=order.record, newer=writers[around.feed])
        result.verdicts[order.record] = Verdict(RecordStatus.REJECTED, problem=problem, pass_no=row.no, pass_id=row.id)
    return True


def _after(row: PassRow, document: Document, status: str, expires_at: str | None, around: Circumstances) -> PassRow:
    """Return a pass as it will be, one revision on."""
    return row._replace(
        status=status,
        revision=row.revision + 1,
        document=orjson.dumps(document).decode(),
        expires_at=expires_at,
        writers=_written(row.writers, around.feed, around.seq),
        modified_at=_modified(row.modified_at, around),
    )


@lru_cache(maxsize=1024)  # passes that the same feeds wrote have the same text
def _written(writers: str, feed: str, seq: int) -> str:
    known: dict[str, int] = orjson.loads(writers)
    known[feed] = max(seq, known.get(feed, 0))
    return orjson.dumps(known).decode()


def _modified(before: int, around: Circumstances) -> int:
    # Whole seconds, strictly rising: Last-Modified has no finer resolution (wallet contract, 1.4).
    return max(around.now // _SECOND * _SECOND, before + _SECOND)


def _merge_pass(row: PassRow, group: Sequence[Order], result: Outcome, around: Circumstances) -> None:
    writers: dict[str, int] = orjson.loads(row.writers)
    if _stale(row, writers, group, result, around):
        return
    working = _Working(row, orjson.loads(row.document), row.status, row.expires_at)
    before = dict(working.document) if len(group) > 1 else None
    winners = _winners(group) if len(group) > 1 else {}
    if working.creating:
        winners.pop(group[0].record, None)
    for order in group:
        verdict = Verdict(RecordStatus.UNCHANGED, pass_no=row.no, pass_id=row.id)
        result.verdicts[order.record] = verdict
        if order.record in winners:
            verdict.status, verdict.message = RecordStatus.SUPERSEDED, f"superseded by line {winners[order.record]}"
            continue
        verdict.changed = working.take(order)
        if verdict.changed or (working.creating and order is group[0]):
            verdict.status, working.last = RecordStatus.APPLIED, order.record
        if order.extra.get("set_ids"):
            if not working.creating:
                result.corrections.append((row.no, order))
            before = None
    if before is not None and working.stands_at(before) and not working.creating:
        # Changed and changed back: nothing to write, nothing to push.
        _call_off(group, result)
        working.last = 0
    changed = {name for order in group for name in result.verdicts[order.record].changed}
    net = changed if before is None else working.net(changed, before)
    _owe(working, group, tuple(sorted(net)), result, around)


def _owe(
    working: _Working, group: Sequence[Order], net: tuple[str, ...], result: Outcome, around: Circumstances
) -> None:
    """Note the pass as it will be, and what its records owe; `net` is what they changed in the end."""
    row = working.row
    offered = around.platforms.get(row.pass_type, NOWHERE)
    owed = owed_words(row.apple, row.google, net, offered)
    for order in group:
        if order.extra.get("messages"):
            _owe_message(row, order, result, around)
    revision = row.revision
    if working.last:
        after = _after(row, working.document, working.status, working.expires_at, around)
        revision = after.revision
        if working.creating:
            # What the records of the file correct at once, the new pass has from the start.
            ids = dict(group[0].ids)
            for order in group:
                ids |= order.extra.get("set_ids", {})
            result.creations.append((after, ids, [order.record for order in group]))
        else:
            result.seen.append(stamp(row))
            result.rewrites.append(rewritten(after))
            result.content.append((row.no, working.last, *owed))
    for order in group:
        verdict = result.verdicts[order.record]
        verdict.revision = revision
        if verdict.changed or (working.creating and order is group[0]):
            alone = owed_words(row.apple, row.google, verdict.changed, offered)
            verdict.apple, verdict.google = map(_word, alone, owed)


def _word(alone: Owed, together: Owed) -> Owed:
    """Return a record's word: what it changed may not be shown, or later records may have changed it back."""
    return alone if together is Owed.QUEUED else together


def _call_off(group: Sequence[Order], result: Outcome) -> None:
    for order in group:
        verdict = result.verdicts[order.record]
        if verdict.status is RecordStatus.APPLIED:
            verdict.status, verdict.changed = RecordStatus.UNCHANGED, ()


def _owe_message(row: PassRow, order: Order, result: Outcome, around: Circumstances) -> None:
    """Owe a message: it is a change of its own and takes effect although no value changed."""
    verdict = result.verdicts[order.record]
    notice = around.notices.get(order.record, Notice.QUEUED)
    if notice is Notice.NO_CONSENT or reaches(row, around.platforms):
        verdict.notification = notice
        if notice.owes:
            verdict.status = RecordStatus.APPLIED
            result.messages.append((row.no, order))


def _winners(group: Sequence[Order]) -> dict[int, int]:
    """Return record -> line of the next later record that writes every field it writes."""
    result: dict[int, int] = {}
    later: dict[frozenset[str], int] = {}
    for order in reversed(group):
        fields = _fields(order)
        if fields and not order.extra.get("messages") and not order.extra.get("set_ids"):
            if len(later) <= _MOST_SETS:
                lines = [line for wider, line in later.items() if fields <= wider]
                winner = min(lines) if lines else None
            else:
                winner = later.get(fields)
            if winner is not None:
                result[order.record] = winner
        if fields:
            later[fields] = order.line
    return result


def _fields(order: Order) -> frozenset[str]:
    named = set(order.patch)
    if order.op == Operation.VOID or "status" in order.extra:
        named.add("status")
    if "expires_at" in order.extra:
        named.add("expires_at")
    return frozenset(named)
