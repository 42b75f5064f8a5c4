"""Through the doors only: real clients, a real daemon, both databases."""

import hashlib
import json
import socket
from dataclasses import replace

import pytest

from flatfile_sync.cli.partner import Partner
from flatfile_sync.daemon.keys import new_key_pair
from flatfile_sync.domain.failures import PermanentFailure

HEADER = "id.memberId,additionalData.points,additionalData.tier\n"
ENROL = "id.memberId,additionalData.points\nM000001,10\nM000002,20\nM000003,30\n"


def names(daemon, folder="/outbox"):
    return [line.rpartition("/")[2] for line in daemon.sftp(f"ls -1 {folder}").stdout.splitlines()[1:]]


def result_set(partner, file, *, name=None, folder="/inbox"):
    sent = partner.put(file, folder, name=name)
    return sent.result_set(sent.ack(timeout=30)["stem"], timeout=60)


def statuses(found):
    return [row["_status"] for row in found.table("result.csv")]


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_openssh_with_only_a_key_puts_polls_and_gets_the_result_set(daemon, tmp_path):
    file = write(tmp_path, "enrol.csv", ENROL)
    daemon.sftp(f"put {file} /inbox/")
    daemon.until(lambda: any(name.endswith(".summary.json") for name in names(daemon)))
    target = tmp_path / "fetched"
    target.mkdir()
    daemon.sftp(f"lcd {target}", "cd /outbox", "get enrol.csv.*", "rm enrol.csv.*.issues.csv")
    summary = json.loads(next(target.glob("*.summary.json")).read_bytes())
    assert summary["counts"]["applied"] == 3
    for name, told in summary["files"].items():
        data = (target / name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (told["bytes"], told["sha256"])
    assert not any(name.endswith(".issues.csv") for name in names(daemon))
    assert daemon.sftp("put /dev/null /outbox/x.csv", check=False).returncode == 1
    [archived] = names(daemon, "/archive")
    daemon.sftp(f"get /archive/{archived} {target}/original.csv")
    assert (target / "original.csv").read_text() == ENROL


def test_a_put_into_dryrun_changes_nothing_and_the_same_file_is_then_applied(daemon, tmp_path):
    file = write(tmp_path, "enrol.csv", ENROL)
    with daemon.partner() as partner:
        dry = result_set(partner, file, folder="/dryrun")
        assert (dry.summary["verdict"], statuses(dry)) == ("dry_run", ["valid"] * 3)
        real = result_set(partner, file)
        assert (real.summary["verdict"], statuses(real)) == ("applied", ["applied"] * 3)
        again = result_set(partner, file)
        assert (again.summary["verdict"], statuses(again)) == ("duplicate", ["skipped"] * 3)


def test_rejects_are_mended_and_dropped_back_under_their_own_name(daemon, tmp_path):
    with daemon.partner() as partner:
        result_set(partner, write(tmp_path, "enrol.csv", ENROL))
        bad = HEADER + "M000001,11,Gold\nM000002,many,Gold\nM000009,1,Gold\n"
        first = result_set(partner, write(tmp_path, "members.csv", bad))
        assert statuses(first) == ["applied", "rejected", "rejected"]
        mended = first.files["rejects.csv"].replace(b"many", b"22").replace(b"M000009", b"M000003")
        name = f"{first.stem}.rejects.csv"
        second = result_set(partner, write(tmp_path, "mended.csv", mended), name=name)
        assert statuses(second) == ["applied", "applied"]
        assert second.summary["parent"] == first.summary["drop_id"]


def test_a_name_under_which_a_client_still_writes_waits_for_its_rename(daemon, tmp_path):
    file = write(tmp_path, "enrol.csv", ENROL)
    with daemon.partner() as partner:
        partner.sftp.put(str(file), "/inbox/enrol.csv.filepart")
        assert "enrol.csv.filepart" in partner.sftp.listdir("/inbox")
        assert not [name for name in partner.sftp.listdir("/outbox") if name.startswith("enrol.csv")]
        partner.sftp.posix_rename("/inbox/enrol.csv.filepart", "/inbox/enrol.csv")
        daemon.until(lambda: any(name.endswith(".summary.json") for name in partner.sftp.listdir("/outbox")))
        ghost = partner.sftp.stat("/inbox/enrol.csv")
        assert ghost.st_size == len(ENROL)
        partner.sftp.utime("/inbox/enrol.csv", (1, 1))
        with pytest.raises(OSError, match="already accepted"):
            partner.sftp.remove("/inbox/enrol.csv")


def test_a_session_that_is_lost_abandons_its_upload_and_nothing_of_it_is_ingested(daemon):
    partner = daemon.partner()
    handle = partner.sftp.open("/inbox/enrol.csv", "wb")
    handle.write(ENROL[:50].encode())
    handle.flush()
    partner.sftp.stat("/inbox/enrol.csv")  # answered after the write, so the bytes are there
    partner.sftp.get_channel().get_transport().sock.shutdown(socket.SHUT_RDWR)
    with daemon.partner() as other:
        [name] = daemon.until(lambda: [n for n in other.sftp.listdir("/outbox") if n.endswith(".ack.json")])
        ack = json.loads(other.read(f"/outbox/{name}"))
        assert (ack["decision"], ack["drop_id"], ack["bytes"]) == ("abandoned", None, 50)
        with other.sftp.open("/inbox/enrol.csv", "ab") as rest:
            assert other.sftp.stat("/inbox/enrol.csv").st_size == 50
            rest.seek(50)
            rest.write(ENROL[50:].encode())
        found = daemon.until(lambda: [n for n in other.sftp.listdir("/outbox") if n.endswith(".summary.json")])
        assert json.loads(other.read(f"/outbox/{found[0]}"))["counts"]["applied"] == 3


def test_no_path_leaves_the_namespace(sqlite_daemon):
    with sqlite_daemon.partner() as partner:
        for path in ("//etc/passwd", "/../../etc/passwd", "/inbox/../../../etc/passwd", "/other/x", "/help/x", "/"):
            with pytest.raises(OSError, match=r"(?i)no such|folder"):
                partner.sftp.open(path, "rb").close()
        assert partner.sftp.normalize("/inbox/../../x") == "/x"


def test_only_the_key_of_the_account_comes_in(sqlite_daemon, tmp_path):
    stranger = tmp_path / "stranger"
    stranger.write_bytes(new_key_pair(comment="stranger")[0])
    address = sqlite_daemon.address
    for user, key in (("partner", stranger), ("nobody", sqlite_daemon.key), ("root", stranger)):
        with pytest.raises(PermanentFailure, match="does not let"):
            Partner(replace(address, user=user, key=key))
