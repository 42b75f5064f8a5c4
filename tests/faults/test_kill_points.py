"""kill -9 at every named point: the result sets are those of an undisturbed run."""

import re
from pathlib import Path

import pytest

import flatfile_sync
from tests.conftest import DATABASES
from tests.faults.scenario import EVERY_DRILL, Sender, files, look, wait_until_settled

# The point, and the how-manieth pass of it: the first that concerns a file of the scenario, or a later one.
POINTS = (
    "spool.keep.synced",
    "spool.renamed*2",
    "ack.put",
    "receive.before_commit*2",
    "receive.committed",
    "claim.before_commit*2",
    "plan.before_commit",
    "plan.before_commit*3",
    "apply.inside_chunk",
    "apply.inside_chunk*3",
    "apply.verdict_written*2",
    "apply.before_commit",
    "apply.before_commit*4",
    "apply.before_finish",
    "report.files",
    "report.before_commit*2",
    "deliver.taken",
    "deliver.sent",
    "deliver.settled*2",
    "settle.files",
    "settle.before_commit",
)
# Every point is drilled each time, on one database and the next point on the other; `make drills` takes both for each.
SCHEDULES = (
    [(database, point) for database in DATABASES for point in POINTS]
    if EVERY_DRILL
    else [(DATABASES[place % 2], point) for place, point in enumerate(POINTS)]
)
_KILLED = -9


def test_every_point_of_the_product_is_drilled():
    found = set()
    for file in Path(flatfile_sync.__file__).parent.rglob("*.py"):
        found |= set(re.findall(r'faults\.point\("([^"]+)"\)', file.read_text()))
    assert found == {point.partition("*")[0] for point in POINTS}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("database", "point"), SCHEDULES, indirect=["database"])
def test_after_a_kill_the_result_sets_are_those_of_an_undisturbed_run(point, database, daemon, undisturbed, tmp_path):
    expected = undisturbed(database)
    note = tmp_path / "note"
    daemon.hook = "tests.faults.kill_points"
    daemon.environment |= {"FLATFILE_KILL_AT": point, "FLATFILE_KILL_NOTE": str(note)}
    daemon.start()
    sender = Sender(daemon)
    waiting = [name for name, text in files().items() if not sender.send(name, text)]
    assert daemon.wait() == _KILLED
    assert note.read_text() == point.partition("*")[0]
    daemon.hook = None
    daemon.start()
    for name in waiting:
        assert sender.send(name, files()[name])
    wait_until_settled(daemon, files())
    ended = look(daemon, sender.tries)
    assert ended.documents == expected.documents
    assert ended.results == expected.results
    assert ended.deliveries == expected.deliveries
