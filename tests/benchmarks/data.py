"""The data of the benchmark: passes as they are, and a file of as many rows of which 60 % change something."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson

from flatfile_sync.store import identifiers, passes
from flatfile_sync.store.database import Store
from flatfile_sync.store.migrate import prepare
from flatfile_sync.store.passes import PassRow

HEADER = (
    "id.memberId",
    "additionalData.points",
    "additionalData.tier",
    "additionalData.balance",
    "additionalData.expiryDate",
    "additionalData.vip",
    "metadata.source",
)
_TIERS = np.array(["Bronze", "Silver", "Gold", "Platinum"])
_BLOCK = 10_000
_SPREAD = 7_368_787
"""A prime: `number * _SPREAD % count` visits every number once, far from its neighbours."""


def make_database(file: Path, count: int) -> None:
    """Store `count` passes, each with one identifier and a device or a Google save, never both."""
    store = Store(f"sqlite:///{file}")
    try:
        prepare(store)
        for first in range(0, count, _BLOCK):
            _store_block(store, np.arange(first, min(count, first + _BLOCK)))
    finally:
        store.close()


def make_file(file: Path, count: int, *, edition: int = 1, shuffled: bool = False) -> None:
    """Write a CSV of `count` rows: 60 % with other points and balance than the edition before, the rest equal to it."""
    with file.open("w", encoding="ascii", newline="") as handle:
        handle.write(",".join(HEADER) + "\n")
        for first in range(0, count, _BLOCK):
            numbers = np.arange(first, min(count, first + _BLOCK))
            if shuffled:
                numbers = numbers * _SPREAD % count
            lines = (
                f"{member},{points},{tier},{balance},{expires},{'true' if vip else 'false'},{source}\n"
                for member, points, tier, balance, expires, vip, source in _rows(numbers, edition)
            )
            handle.writelines(lines)


def _rows(numbers: np.ndarray, edition: int) -> Iterator[tuple[str, int, str, str, str, bool, str]]:
    """Yield member id, points, tier, balance, expiry date, VIP and source of the members in an edition of the file."""
    editions = np.where(_mixed(numbers, 1) % 10 < 6, edition, 0)
    dates = np.datetime64("2026-01-01") + _mixed(numbers, 2) % 1500
    cents = 100 + _mixed(numbers, 3 + 10 * editions) % 99_900
    yield from zip(
        [f"M{number:07}" for number in numbers.tolist()],
        (_mixed(numbers, 4 + 10 * editions) % 100_000).tolist(),
        _TIERS[_mixed(numbers, 5) % len(_TIERS)].tolist(),
        [f"{cent // 100}.{cent % 100:02}" for cent in cents.tolist()],
        np.datetime_as_string(dates).tolist(),
        (_mixed(numbers, 6) % 5 == 0).tolist(),
        [f"till {till}" for till in (_mixed(numbers, 7) % 1_000_000).tolist()],
        strict=True,
    )


def _mixed(numbers: np.ndarray, salt: np.ndarray | int) -> np.ndarray:
    """Return numbers that look random and are always the same (the finaliser of splitmix64, shortened)."""
    mixed = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= (np.atleast_1d(salt).astype(np.uint64) + np.uint64(1)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0x94D049BB133111EB)
    return (mixed >> np.uint64(33)).astype(np.int64)


def _store_block(store: Store, numbers: np.ndarray) -> None:
    rows = []
    members = []
    ids = _mixed(numbers, 8).tolist()
    for number, pass_id, values in zip(numbers.tolist(), ids, _rows(numbers, 0), strict=True):
        member, points, tier, balance, expires, vip, source = values
        canonical = balance.rstrip("0").rstrip(".")
        document = dict(zip(HEADER[1:], (points, tier, canonical, expires, vip, source), strict=True))
        members.append(member)
        rows.append(
            PassRow(
                no=0,
                id=f"{pass_id:016x}{number:016x}",
                project="bench",
                pass_type="card",
                status="active",
                revision=1,
                document=orjson.dumps(document).decode(),
                expires_at=None,
                writers="{}",
                apple=number % 2,
                google=(number + 1) % 2,
                modified_at=0,
            )
        )

    def work(conn):
        created = passes.create_many(conn, rows, tag=0, created_at=0)
        pairs = zip(created, members, strict=True)
        identifiers.insert_many(conn, [("bench", "memberId", member, "card", row.no) for row, member in pairs])

    store.write_now(work)
