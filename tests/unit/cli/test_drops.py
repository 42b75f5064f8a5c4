import json

import pytest

from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.states import DropState
from flatfile_sync.store import drops
from tests.line import receive, run, seed

TEXT = "id.memberId,additionalData.points\n000,10\n001,x\n"


@pytest.fixture
async def ended(place):
    seed(place.kit, ({"memberId": "000"}, {}), ({"memberId": "001"}, {}))
    return await run(place.kit, receive(place.kit, TEXT))


async def test_drops_are_listed_newest_first(place, ended):
    waiting = receive(place.kit, TEXT, feed="enrol")
    shown = place.run("drops", "list")
    assert shown.exit_code == 0
    head, first, second = shown.stdout.splitlines()
    assert head.split() == ["id", "state", "verdict", "feed", "received", "file"]
    assert first.split()[:4] == [waiting.id[:8], "RECEIVED", "-", "enrol"]
    assert second.split() == [
        ended.id[:8], "SETTLED", "partial", "members", "2026-08-01", "04:03:12Z", "members.csv",
    ]  # fmt: skip


async def test_a_listing_narrows_by_state_feed_and_number(place, ended):
    others = [receive(place.kit, TEXT, feed="enrol") for _ in range(2)]

    def ids(*options):
        return [drop["id"] for drop in json.loads(place.run("drops", "list", "--json", *options).stdout)]

    assert ids() == [others[1].id, others[0].id, ended.id]
    assert ids("--state", "settled") == [ended.id]
    assert ids("--feed", "enrol") == [others[1].id, others[0].id]
    assert ids("--limit", "1") == [others[1].id]
    assert ids("--stuck") == []


async def test_a_listing_fits_eighty_columns(place, ended):
    shown = place.run("drops", "list", env={"COLUMNS": "80"})
    assert max(len(line) for line in shown.stdout.splitlines()) <= 80
    assert ended.id[:8] in shown.stdout


@pytest.mark.usefixtures("ended")
async def test_programs_get_stable_keys_and_iso_times(place):
    [found] = json.loads(place.run("drops", "list", "--json").stdout)
    assert list(found) == [
        *("id", "seq", "account", "project", "feed", "file_name", "result_name", "bytes", "sha256", "dry_run"),
        *("state", "verdict", "reason", "stuck", "attempts", "last_error", "duplicate_of", "parent_id", "forced"),
        *("received_at", "claimed_at", "planned_at", "applied_at", "reported_at", "settled_at"),
        *("due_at", "horizon_at", "records", "guard"),
    ]
    assert found["received_at"] == "2026-08-01T04:03:12.000Z"
    assert (found["state"], found["verdict"], found["records"]) == ("SETTLED", "partial", 2)


async def test_one_drop_is_shown_with_all_that_belongs_to_it(place, ended):
    shown = place.run("drops", "show", ended.id[:6])
    assert shown.exit_code == 0
    for text in ("partner to loyalty/members", "1 of 1 have their verdicts, 2 of 2 records", ".rejects.csv"):
        assert text in shown.stdout
    assert [line.split() for line in shown.stdout.splitlines() if line.startswith("apple")] == [
        ["apple", "content", "settled", "fetched", "1"]
    ]
    found = json.loads(place.run("drops", "show", ended.id, "--json").stdout)
    assert found["progress"] == {"chunks": 1, "chunks_applied": 1, "records": 2, "records_applied": 2}
    assert {file["name"].removeprefix(ended.result_name) for file in found["artefacts"]} >= {
        ".result.csv",
        ".summary.json",
    }
    assert {entry["platform"] for entry in found["deliveries"]} == {"apple", "google"}


async def test_a_name_that_would_steer_the_terminal_is_shown_harmless(place):
    receive(place.kit, TEXT, name="a\x1b[31m.csv")
    assert "\x1b" not in place.run("drops", "list").stdout


def test_an_unknown_drop_ends_with_4(place):
    shown = place.run("drops", "show", "ffff")
    assert shown.exit_code == 4
    assert shown.stderr == "Error: There is no drop whose id starts with 'ffff'; `drops list` shows them.\n"


@pytest.mark.usefixtures("ended")
async def test_retry_force_and_cancel_change_the_drop_and_say_so(place):
    duplicate = await run(place.kit, receive(place.kit, TEXT))
    forced = place.run("drops", "force", duplicate.id[:8])
    assert forced.exit_code == 0
    [fresh, *_] = place.kit.store.read_now(drops.listing)
    assert f"The same bytes go on as drop {fresh.id}" in forced.stdout
    place.kit.store.write_now(lambda conn: drops.note(conn, fresh, stuck=True))
    assert "!" in place.run("drops", "list", "--stuck").stdout
    assert place.run("drops", "retry", fresh.id).exit_code == 0
    assert place.run("drops", "retry", fresh.id).exit_code == 4
    assert place.run("drops", "cancel", fresh.id).exit_code == 0
    place.kit.clock.set(utc_now())  # the command line's clock is the wall's
    done = await run(place.kit, fresh)
    assert (done.state, done.verdict) == (DropState.SETTLED, "cancelled")
    refused = place.run("drops", "cancel", fresh.id)
    assert refused.exit_code == 4
    assert "nothing left to cancel" in refused.stderr


def test_nothing_is_said_where_nothing_is(place):
    assert place.run("drops", "list").stdout == "No drops.\n"
    assert place.run("uploads", "list").stdout == "No uploads.\n"
    assert place.run("drops", "list", "--json").stdout == "[]\n"


def test_uploads_are_listed(place):
    drop = receive(place.kit, TEXT)
    shown = place.run("uploads", "list", "--state", "closed")
    assert shown.stdout.splitlines()[1].split() == [
        "2026-08-01", "04:03:12Z", "partner", "inbox/", "closed", "47", drop.id[:8], "members.csv",
    ]  # fmt: skip
    [found] = json.loads(place.run("uploads", "list", "--json").stdout)
    assert (found["drop_id"], found["opened_at"]) == (drop.id, "2026-08-01T04:03:12.000Z")
    assert json.loads(place.run("uploads", "list", "--state", "done", "--json").stdout) == []


def test_a_database_that_is_not_there_is_not_made(place):
    missing = place.data / "other" / "none.sqlite"
    shown = place.run("drops", "list", env={"FLATFILE_SYNC_DATABASE_URL": f"sqlite:///{missing}"})
    assert shown.exit_code == 3
    assert "there is no database yet; `flatfile-sync init` makes it" in shown.stderr
    assert not missing.parent.exists()


def test_an_empty_database_is_not_taken_for_ours(place):
    empty = place.data / "empty.sqlite"
    empty.touch()
    shown = place.run("drops", "list", env={"FLATFILE_SYNC_DATABASE_URL": f"sqlite:///{empty}"})
    assert shown.exit_code == 3
    assert "has no tables" in shown.stderr


def test_a_server_that_does_not_answer_ends_with_5(place):
    url = "postgresql+psycopg://someone:secret@127.0.0.1:1/none"
    shown = place.run("drops", "list", env={"FLATFILE_SYNC_DATABASE_URL": url})
    assert shown.exit_code == 5
    assert "does not answer" in shown.stderr
    assert "secret" not in shown.stderr
