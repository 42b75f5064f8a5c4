"""The program as a person runs it: serve, send, demo."""

import json
import signal
import subprocess
import sys

import pytest

from flatfile_sync.domain.states import UploadVerdict
from flatfile_sync.store import uploads
from tests.acceptance.test_door import ENROL, write

PROGRAM = (sys.executable, "-m", "flatfile_sync.cli")


def send(daemon, file, *options):
    address = daemon.address
    pins = [part for pin in address.fingerprints for part in ("--fingerprint", pin)]
    return subprocess.run(
        [*PROGRAM, "send", str(file), "--port", str(daemon.port), "--key", str(daemon.key), *pins, *options],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_send_waits_prints_and_saves_the_result_set(sqlite_daemon, tmp_path):
    file = write(tmp_path, "enrol.csv", ENROL + "X,1\n")
    done = send(sqlite_daemon, file, "--wait", "--out", str(tmp_path / "out"))
    assert (done.returncode, done.stderr) == (1, "")
    assert "V05" in done.stdout
    assert "id.memberId" in done.stdout
    assert len(list((tmp_path / "out").glob("enrol.csv.*.rejects.csv"))) == 1
    again = send(sqlite_daemon, write(tmp_path, "enrol2.csv", ENROL + "M000004,1\n"), "--wait", "--json")
    assert (again.returncode, json.loads(again.stdout)["counts"]["unchanged"]) == (0, 3)


def test_send_tells_what_is_wrong_in_one_sentence(sqlite_daemon, tmp_path):
    file = write(tmp_path, "enrol.csv", ENROL)
    wrong = send(sqlite_daemon, file, "--user", "nobody")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (4, 1)
    assert "does not let 'nobody' in" in wrong.stderr
    unknown = send(sqlite_daemon, file, "--feed", "nothing")
    assert unknown.returncode == 4
    assert "/inbox/nothing" in unknown.stderr
    sqlite_daemon.stop()
    away = send(sqlite_daemon, file)
    assert away.returncode == 5
    assert "cannot be reached" in away.stderr


def test_a_daemon_that_is_told_to_stop_ends_in_order_and_comes_back(sqlite_daemon):
    partner = sqlite_daemon.partner()
    handle = partner.sftp.open("/inbox/enrol.csv", "wb")
    handle.write(ENROL.encode())
    handle.flush()
    partner.sftp.stat("/inbox")
    sqlite_daemon.process.send_signal(signal.SIGTERM)
    assert sqlite_daemon.wait() == 0
    assert "daemon_stopped" in sqlite_daemon.log.read_text()
    store = sqlite_daemon.store()
    try:
        [upload] = store.read_now(uploads.recent)
    finally:
        store.close()
    assert upload.verdict is UploadVerdict.ABANDONED
    sqlite_daemon.start()
    with sqlite_daemon.partner() as other:
        assert "enrol.csv" in other.sftp.listdir("/inbox")


def test_two_daemons_never_share_a_data_folder(sqlite_daemon):
    second = subprocess.run(
        [*PROGRAM, "--config", str(sqlite_daemon.config), "serve"],
        env=sqlite_daemon.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 4
    assert f"process {sqlite_daemon.process.pid}" in second.stderr


@pytest.mark.timeout(240)
def test_the_demo_shows_the_main_job_and_cleans_up(tmp_path):
    done = subprocess.run(
        [*PROGRAM, "demo"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=230,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for words in ("5,000 passes created", "partial", "duplicate_of", "applied", "fetched", "Done in"):
        assert words in done.stdout
    assert list(tmp_path.glob("flatfile-sync-demo-*")) == []
