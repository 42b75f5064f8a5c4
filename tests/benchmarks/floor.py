"""The raw floor: the same data staged and merged with nothing but the standard library, one script, one process.

    python -m tests.benchmarks.floor DATABASE CSV RESULT

Durability is the product's: write-ahead log, `synchronous=FULL`, one transaction per 10,000 rows, pass rows rewritten,
one delivery owed per change, one line per row in the result file, which is fsynced in the end. Left out is all that
makes it a product: no validation, issues, guards, plan, verdict files, repeated rows, other kinds of columns, restart.
"""

import csv
import itertools
import json
import os
import sqlite3
import sys
import time

CHUNK = 10_000
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "temp_store=MEMORY")
STAGED = "CREATE TEMP TABLE staged (row INTEGER PRIMARY KEY, member TEXT, patch TEXT)"
STAGE = """
    INSERT INTO staged (member, patch) VALUES (?, json_object(
        'additionalData.points', CAST(? AS INTEGER), 'additionalData.tier', ?,
        'additionalData.balance', rtrim(rtrim(?, '0'), '.'), 'additionalData.expiryDate', ?,
        'additionalData.vip', json(?), 'metadata.source', ?))
"""
FOUND = """
    SELECT s.member, p.no, p.id, p.document, p.revision, p.apple, json_patch(p.document, s.patch)
    FROM staged s
    CROSS JOIN identifiers i ON i.project = 'bench' AND i.kind = 'memberId' AND i.value = s.member
    CROSS JOIN passes p ON p.no = i.pass_no
    ORDER BY s.row
"""
REWRITE = "UPDATE passes SET revision = ?, document = ?, writers = ?, tag = ?, modified_at = ? WHERE no = ?"
OWE = """
    INSERT INTO deliveries (project, pass_no, platform, kind, revision, lane, drop_id, record, state, attempts, due_at)
    VALUES ('bench', ?, ?, 'content', ?, 2, 'floor', ?, 'due', 0, ?)
"""


def main(database: str, source: str, target: str) -> None:
    """Merge the CSV into the database and print the seconds it took."""
    connection = sqlite3.connect(database, isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(STAGED)
    started = time.perf_counter()
    with open(source, newline="") as rows, open(target, "w", newline="") as results:  # noqa: PTH123 - as raw as can be
        reader = csv.reader(rows)
        next(reader)
        writer = csv.writer(results, lineterminator="\n")
        writer.writerow(["_line", "_key", "_status", "_pass_id", "_revision"])
        line = 2
        while chunk := list(itertools.islice(reader, CHUNK)):
            connection.execute("BEGIN IMMEDIATE")
            writer.writerows(merge(connection, chunk, line))
            connection.execute("COMMIT")
            line += len(chunk)
        results.flush()
        os.fsync(results.fileno())
    print(json.dumps({"seconds": time.perf_counter() - started}))
    connection.close()


def merge(connection: sqlite3.Connection, chunk: list[list[str]], first: int) -> list[tuple]:
    """Stage, compare and write back one chunk; return its lines of the result. `first` is the chunk's first line."""
    connection.execute("DELETE FROM staged")
    connection.executemany(STAGE, chunk)
    now = time.time_ns() // 1000
    rewritten, owed, results = [], [], []
    for line, row in enumerate(connection.execute(FOUND), first):
        member, no, pass_id, before, revision, apple, after = row
        if after == before:
            results.append((line, member, "unchanged", pass_id, revision))
        else:
            rewritten.append((revision + 1, after, '{"members":1}', first, now, no))
            owed.append((no, "apple" if apple else "google", revision + 1, line - 1, now))
            results.append((line, member, "applied", pass_id, revision + 1))
    connection.executemany(REWRITE, rewritten)
    connection.executemany(OWE, owed)
    return results


if __name__ == "__main__":
    main(*sys.argv[1:])
