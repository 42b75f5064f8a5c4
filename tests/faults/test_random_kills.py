"""Thirty kills at random moments while a partner goes on dropping files: no file is lost, no record applied twice."""

import hashlib
import random
import threading

import pytest

from flatfile_sync.domain.states import DropState, DropVerdict, UploadVerdict
from flatfile_sync.store import drops, uploads
from tests.faults.scenario import EVERY_DRILL, MEMBERS, Sender, documents, look, member, wait_until_settled

KILLS = 10
RUNS = [("sqlite", 1), ("sqlite", 2), ("postgresql", 4)]
if EVERY_DRILL:
    RUNS += [("sqlite", 3), ("postgresql", 5)]
ROWS = 150


class Dropper(threading.Thread):
    """Sends file after file, each until its close is answered, and remembers which were."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.sender = Sender(daemon)
        self.answered = {}
        self.count = threading.Condition()
        self.enough = threading.Event()
        self.serving = threading.Event()

    def run(self):
        number = 0
        while not self.enough.is_set():
            self.serving.wait()
            name, text = f"members-{number}.csv", content(number)
            if self.sender.send(name, text):
                with self.count:
                    self.answered[name] = hashlib.sha256(text.encode()).hexdigest()
                    self.count.notify_all()
                number += 1

    def wait_for(self, more):
        with self.count:
            wanted = len(self.answered) + more
            assert self.count.wait_for(lambda: len(self.answered) >= wanted, timeout=60)


def content(number):
    rows = [f"{member((number * 7 + n) % MEMBERS)},{number * 1000 + n + 1}\n" for n in range(ROWS)]
    return "id.memberId,additionalData.points\n" + "".join(rows)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("database", "seed"), RUNS, indirect=["database"])
def test_no_file_is_lost_and_no_record_applied_twice(seed, daemon):
    chance = random.Random(seed)  # noqa: S311 - so that a failure can be had again
    before = documents(daemon)
    daemon.start()
    dropper = Dropper(daemon)
    dropper.serving.set()
    dropper.start()
    for _ in range(KILLS):
        dropper.wait_for(chance.randint(0, 2))
        daemon.until(lambda: chance.random() < 0.2)
        dropper.serving.clear()
        daemon.kill()
        daemon.start()
        dropper.serving.set()
    dropper.wait_for(1)
    dropper.enough.set()
    dropper.join(60)
    assert not dropper.is_alive()
    wait_until_settled(daemon, dropper.answered)
    ended = look(daemon, dropper.sender.tries)
    changed = sum(row["_status"] == "applied" for kinds in ended.results.values() for row in kinds["result.csv"])
    after = documents(daemon)
    assert sum(after[name][1] - before[name][1] for name in before) == changed
    store = daemon.store()
    try:
        found = store.read_now(lambda conn: drops.listing(conn, limit=5000))
        seen = store.read_now(lambda conn: uploads.recent(conn, limit=5000))
    finally:
        store.close()
    first = {drop.file_name: drop for drop in reversed(found)}
    assert {name: first[name].sha256 for name in dropper.answered} == dropper.answered
    assert all(drop.state is DropState.SETTLED for drop in found)
    assert len({drop.upload_id for drop in found}) == len(found)
    assert all(upload.drop_id is None for upload in seen if upload.verdict is UploadVerdict.ABANDONED)
    # Cancelled: sent again under its name before it was claimed, so overwritten.
    assert {drop.verdict for drop in found} <= {DropVerdict.APPLIED, DropVerdict.DUPLICATE, DropVerdict.CANCELLED}
