"""What the drills do with a daemon, and what must have come of it whatever happened in between."""

import csv
import io
import json
import os
import re
from collections import Counter
from dataclasses import dataclass, field

import orjson
import paramiko

from flatfile_sync.cli.partner import Partner
from flatfile_sync.daemon.projects import read_project
from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.failures import FlatfileSyncError
from flatfile_sync.domain.states import DropState, DropVerdict
from flatfile_sync.pipeline.importing import import_passes
from flatfile_sync.store import artefacts, drops, identifiers, passes, uploads
from flatfile_sync.store.deliveries import tally

EVERY_DRILL = os.environ.get("FLATFILE_SYNC_DRILLS") == "all"
# The daemon runs with its smallest chunks, so that every file has several, and a tail.
MEMBERS = 230
# Another feed may be quicker or slower, so it names passes of its own.
ADDRESSED = range(MEMBERS, MEMBERS + 40)
CHUNK = {"FLATFILE_SYNC_WORK__CHUNK_RECORDS": "100"}
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def member(number):
    return f"M{number:06}"


def files():
    """Return name -> content, in the order in which the partner sends them."""
    head = "id.memberId,additionalData.points,additionalData.tier\n"
    first = [f"{member(n)},{n if n % 5 == 0 else n + 1000},Gold\n" for n in range(MEMBERS)]
    first[7] = f"{member(7)},many,Gold\n"
    first[150] = "M999999,1,Gold\n"
    first.append(f"{member(3)},3003,Silver\n")
    second = [f"{member(n)},{n + 2000},\n" for n in range(0, MEMBERS, 2)]
    new = [f"M5{n:05},{n}\n" for n in range(120)]
    messages = [f"{member(n)},Sale,{'opt-in' if n % 2 else 'opt-out'},2026-07-01T00:00:00Z\n" for n in ADDRESSED]
    return {
        "members-1.csv": head + "".join(first),
        "enrol-1.csv": "id.memberId,additionalData.points\n" + "".join(new),
        "members-2.csv": head + "".join(second),
        "campaign-1.csv": "id.memberId,notification.message,consent.marketing,consent.marketing.at\n"
        + "".join(messages),
    }


def seed(daemon, folder):
    """Store the members' passes, each on a device and saved with Google."""
    lines = ["id,passType,id.memberId,additionalData.points,additionalData.tier,apple,google\n"]
    lines += [f"{n:032x},loyalty_card,{member(n)},{n},Gold,1,1\n" for n in range(ADDRESSED.stop)]
    file = folder / "passes.csv"
    file.write_text("".join(lines))
    project = read_project(daemon.settings.projects_folder / "loyalty")
    work = folder / "import"
    work.mkdir()
    store = daemon.store()
    try:
        import_passes(file, project, store=store, work=work, clock=utc_now, chunk_records=1000)
    finally:
        store.close()


class Sender:
    """A partner who sends each file until its close has been answered OK, whatever becomes of the server."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.tries = {}

    def send(self, name, text):
        """Return whether the close was answered; False if the server died under it."""
        self.tries[name] = self.tries.get(name, 0) + 1
        try:
            with Partner(self.daemon.address) as partner:
                with partner.sftp.open(f"/inbox/{name}", "wb") as handle:
                    handle.write(text.encode())
                return True
        except (OSError, EOFError, paramiko.SSHException, FlatfileSyncError):
            return False


@dataclass
class Ended:
    """What can be seen once all is done; two runs of the same files are equal, time stamps and ids aside."""

    results: dict = field(default_factory=dict)
    documents: dict = field(default_factory=dict)
    deliveries: dict = field(default_factory=dict)


def wait_until_settled(daemon, names):
    """Wait until every file has a drop, every drop is settled, and every upload has its verdict."""
    store = daemon.store()

    def settled():
        found = store.read_now(lambda conn: drops.listing(conn, limit=1000))
        return (
            {drop.file_name for drop in found} >= set(names)
            and all(drop.state is DropState.SETTLED for drop in found)
            and all(upload.verdict for upload in store.read_now(lambda conn: uploads.recent(conn, limit=1000)))
        )

    try:
        daemon.until(settled)
    finally:
        store.close()


def look(daemon, tries):
    """Return what came of the files; of a file that was sent again, unanswered the first time, one drop took effect.

    The others are duplicates, or were overwritten before they were claimed.
    """
    ended = Ended()
    store = daemon.store()
    try:
        found = sorted(store.read_now(lambda conn: drops.listing(conn, limit=1000)), key=lambda drop: drop.seq)
        for drop in found:
            if drop.verdict in {DropVerdict.DUPLICATE, DropVerdict.CANCELLED}:
                assert tries[drop.file_name] > 1
                continue
            assert drop.file_name not in ended.results
            kinds = _artefacts(daemon, store, drop)
            ended.results[drop.file_name] = {kind: _plain(kind, data) for kind, data in sorted(kinds.items())}
            owed = store.read_now(lambda conn, drop=drop: tally(conn, drop.id))
            counts = Counter()
            for *words, count in owed:
                counts[tuple(map(_word, words))] += count
            ended.deliveries[drop.file_name] = counts
    finally:
        store.close()
    ended.documents = documents(daemon)
    return ended


def documents(daemon):
    """Return member -> (document, revision, status) of every pass."""
    store = daemon.store()
    try:
        return {name: rest for name, *rest in store.read_now(_all_passes)}
    finally:
        store.close()


def _artefacts(daemon, store, drop):
    found = store.read_now(lambda conn: artefacts.of_drop(conn, drop.id))
    spool = daemon.settings.data_folder / "spool" / "blobs"
    return {
        entry.name.removeprefix(f"{drop.result_name}."): (spool / entry.blob[:2] / entry.blob).read_bytes()
        for entry in found
        if entry.zone == "outbox"
    }


def _all_passes(conn):
    named = [member(n) for n in range(ADDRESSED.stop)] + [f"M5{n:05}" for n in range(120)]
    matches = orjson.loads(identifiers.resolve(conn, "loyalty", "memberId", named))
    rows = {row.no: row for row in passes.load_many(conn, sorted({number for _, number, _, _ in matches}))}
    return [
        (value, orjson.loads(rows[number].document), rows[number].revision, rows[number].status)
        for value, number, _, _ in matches
    ]


_VARYING = {"_applied_at", "_settled_at", "_attempts", "_reason", "_pass_id"}
_VARYING_KEYS = {"drop_id", "times", "files", "settled_at", "received_at", "sequence", "result_name"}


def _plain(kind, data):
    """Return an artefact without what two runs cannot have in common."""
    if kind.endswith(".json"):
        found = {name: value for name, value in json.loads(data).items() if name not in _VARYING_KEYS}
        if "outcomes" in found:
            found["outcomes"] = {name: sum(words.values()) for name, words in found["outcomes"].items()}
        return found
    if kind == "rejects.csv":
        return data
    rows = csv.DictReader(io.StringIO(data.decode(), newline=""))
    plain = [{name: _STAMP.sub("", value) for name, value in row.items() if name not in _VARYING} for row in rows]
    return [{name: _word(value) for name, value in row.items()} for row in plain] if kind == "delivery.csv" else plain


def _word(value):
    """Return a delivery's word; whether a later file overtook it depends on who was quicker."""
    return "arrived" if value in {"sent", "fetched", "overtaken"} else value
