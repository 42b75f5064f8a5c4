"""The door in raw packets: what no client sends by itself, and what a hostile one would."""

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flatfile_sync.domain.states import UploadState, UploadVerdict
from flatfile_sync.sftp.packets import MAX_HANDLES, Reply, Request, Status
from flatfile_sync.sftp.protocol import Protocol
from flatfile_sync.sftp.session import Session
from flatfile_sync.store import uploads
from flatfile_sync.store.accounts import Account
from tests.builders import kit
from tests.doubles import START

READ, WRITE, APPEND, CREATE, TRUNCATE, EXCLUSIVE = 1, 2, 4, 8, 16, 32
TO_WRITE = WRITE | CREATE | TRUNCATE


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">I", len(data)) + data


def no_attributes():
    return struct.pack(">I", 0)


class Client:
    """One channel in raw packets."""

    def __init__(self, session):
        self.session = session
        self.protocol = Protocol(session)

    async def begin(self):
        assert (await self.protocol.answer(bytes((Request.INIT, 0, 0, 0, 3))))[4] == Reply.VERSION
        return self

    async def raw(self, kind, body):
        return await self.protocol.answer(bytes((kind,)) + body)

    async def ask(self, kind, *parts):
        """Return (reply type, body after the request's number)."""
        reply = await self.raw(kind, struct.pack(">I", 7) + b"".join(parts))
        length, found, number = struct.unpack_from(">IBI", reply)
        assert (length, number) == (len(reply) - 4, 7)
        return found, reply[9:]

    async def status(self, kind, *parts):
        found, body = await self.ask(kind, *parts)
        assert found == Reply.STATUS
        (code,) = struct.unpack_from(">I", body)
        (length,) = struct.unpack_from(">I", body, 4)
        return Status(code), body[8 : 8 + length].decode()

    async def open(self, path, flags=TO_WRITE):
        found, body = await self.ask(Request.OPEN, string(path), struct.pack(">I", flags), no_attributes())
        assert found == Reply.HANDLE, body
        return body

    async def write(self, handle, offset, data):
        return await self.status(Request.WRITE, handle, struct.pack(">Q", offset), string(data))

    async def close(self, handle):
        return await self.status(Request.CLOSE, handle)


@pytest.fixture
def means(sqlite_store, spool, clock):
    return kit(sqlite_store, spool, clock=clock)


@pytest.fixture
async def client(means):
    return await Client(Session(Account("partner", "loyalty", (), START, None), kit=means)).begin()


def stored(means):
    return means.store.read_now(uploads.recent)


async def test_an_upload_is_whole_or_refused(client, means):
    handle = await client.open("/inbox/members.csv")
    assert await client.write(handle, 3, b"def") == (Status.OK, "")
    code, text = await client.close(handle)
    assert (code, text) == (Status.FAILURE, "the bytes from 0 to 3 were never written")
    assert stored(means)[0].verdict is UploadVerdict.ABANDONED
    assert await client.close(handle) == (Status.FAILURE, "no such handle")


async def test_writes_may_come_in_any_order_and_with_trailing_bytes(client, means):
    handle = await client.open("/inbox/members.csv")
    assert (await client.write(handle, 3, b"def"))[0] is Status.OK
    last = await client.status(Request.WRITE, handle, struct.pack(">Q", 0), string(b"abc"), b"\0\0\0\0")
    assert last[0] is Status.OK
    assert (await client.close(handle))[0] is Status.OK
    [upload] = stored(means)
    assert (upload.state, upload.size) == (UploadState.CLOSED, 6)
    assert means.spool.path(upload.blob).read_bytes() == b"abcdef"


async def test_a_gap_that_no_honest_client_leaves_is_refused(client):
    handle = await client.open("/inbox/members.csv")
    code, _ = await client.write(handle, 1 << 40, b"x")
    assert code is Status.FAILURE
    assert (await client.write(handle, 0, b"x"))[0] is Status.FAILURE


async def test_a_second_writer_on_one_name_is_refused(client, means):
    await client.open("/inbox/members.csv")
    other = await Client(Session(Account("partner", "loyalty", (), START, None), kit=means)).begin()
    flags = struct.pack(">I", TO_WRITE)
    code, text = await other.status(Request.OPEN, string("/inbox/members.csv"), flags, no_attributes())
    assert (code, text) == (Status.FAILURE, "another upload of this name is under way")


async def test_what_a_lost_session_had_open_is_abandoned_and_can_be_resumed(client, means):
    handle = await client.open("/inbox/members.csv")
    await client.write(handle, 0, b"id.mem")
    await client.session.end("the session was lost")
    assert stored(means)[0].verdict is UploadVerdict.ABANDONED
    again = await client.open("/inbox/members.csv", WRITE | CREATE | APPEND)
    found, body = await client.ask(Request.FSTAT, again)
    assert (found, struct.unpack_from(">IQ", body)[1]) == (Reply.ATTRS, 6)
    await client.write(again, 6, b"berId\n")
    assert (await client.close(again))[0] is Status.OK
    assert means.spool.path(stored(means)[0].blob).read_bytes() == b"id.memberId\n"


async def test_scp_writes_over_what_it_closed_and_cuts_the_rest_off(client, means):
    handle = await client.open("/inbox/members.csv")
    await client.write(handle, 0, b"long content")
    await client.close(handle)
    handle = await client.open("/inbox/members.csv", WRITE | CREATE)
    await client.write(handle, 0, b"short")
    cut = struct.pack(">IQ", 1, 5)
    assert (await client.status(Request.FSETSTAT, handle, cut))[0] is Status.OK
    await client.close(handle)
    [upload] = stored(means)
    assert means.spool.path(upload.blob).read_bytes() == b"short"


async def test_folders_list_and_missing_ones_say_so_at_once(client):
    assert (await client.status(Request.OPENDIR, string("/inbox/nothing")))[0] is Status.NO_SUCH_FILE
    found, folder = await client.ask(Request.OPENDIR, string("/"))
    assert found == Reply.HANDLE
    found, body = await client.ask(Request.READDIR, folder)
    assert found == Reply.NAME
    assert struct.unpack_from(">I", body)[0] == 5
    assert all(name in body for name in (b"inbox", b"outbox", b"dryrun", b"archive", b"exports"))
    assert (await client.status(Request.READDIR, folder))[0] is Status.EOF
    assert (await client.close(folder))[0] is Status.OK


@pytest.mark.parametrize(
    "name", ["a\nb.csv", "a\x00.csv", "con.csv", " a.csv", "a.csv.", "x" * 201, "a|b.csv", "a\u202eb.csv"]
)
async def test_names_that_would_hurt_somebody_are_refused(client, name):
    flags = struct.pack(">I", TO_WRITE)
    code, text = await client.status(Request.OPEN, string("/inbox/" + name), flags, no_attributes())
    assert code is Status.FAILURE
    assert text.startswith("a name ")


@pytest.mark.parametrize("name", [b"\xff\xfe.csv", b"\xed\xa0\x80"])
async def test_names_are_utf8(client, name):
    code, _ = await client.status(Request.OPEN, string(b"/inbox/" + name), struct.pack(">I", TO_WRITE), no_attributes())
    assert code is Status.NO_SUCH_FILE


async def test_handles_are_limited_and_none_is_shared(client, means):
    for number in range(MAX_HANDLES):
        await client.open(f"/inbox/members{number}.csv")
    flags = struct.pack(">I", TO_WRITE)
    code, text = await client.status(Request.OPEN, string("/inbox/members.csv"), flags, no_attributes())
    assert (code, text) == (Status.FAILURE, f"at most {MAX_HANDLES} files are open at a time")
    other = await Client(Session(Account("other", "loyalty", (), START, None), kit=means)).begin()
    assert (await other.status(Request.FSTAT, string(b"\0\0\0\1")))[1] == "no such handle"
    assert (await other.status(Request.STAT, string("/inbox/members0.csv")))[0] is Status.NO_SUCH_FILE


@pytest.mark.parametrize("kind", [19, 20, 21, 22, 23, 77, 250])
async def test_links_locks_and_inventions_are_not_supported(client, kind):
    assert (await client.status(kind, string("/inbox"), string("/etc")))[0] is Status.OP_UNSUPPORTED


@pytest.mark.parametrize("name", ["copy-data", "hardlink@openssh.com", "ranges@asyncssh.com", "users-groups-by-id"])
async def test_extensions_that_are_not_advertised_are_not_there(client, name):
    assert (await client.status(Request.EXTENDED, string(name), b"\0" * 64))[0] is Status.OP_UNSUPPORTED


async def test_nothing_is_answered_before_the_client_begins(means):
    stranger = Client(Session(Account("partner", "loyalty", (), START, None), kit=means))
    assert await stranger.raw(Request.STAT, struct.pack(">I", 1) + string("/")) is None


@pytest.mark.parametrize("kind", [kind for kind in Request if kind is not Request.INIT])
async def test_a_request_that_ends_too_early_is_a_bad_message(client, kind):
    code, _ = await client.status(kind, struct.pack(">I", 5000))
    assert code is Status.BAD_MESSAGE


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(2, 255), st.binary(max_size=200))
async def test_any_bytes_get_exactly_one_reply(client, kind, body):
    reply = await client.raw(kind, struct.pack(">I", 9) + body)
    assert struct.unpack_from(">I", reply)[0] == len(reply) - 4
    assert struct.unpack_from(">I", reply, 5)[0] == 9
