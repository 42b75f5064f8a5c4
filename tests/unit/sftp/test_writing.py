import errno
import hashlib
import os

import pytest

from flatfile_sync.domain.failures import Refused
from flatfile_sync.sftp.writing import Writing


@pytest.fixture
def writing(tmp_path):
    descriptor = os.open(tmp_path / "blob", os.O_RDWR | os.O_CREAT)
    yield Writing(descriptor)
    os.close(descriptor)


async def test_a_disk_that_takes_less_is_asked_again(writing, monkeypatch):
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, bytes(data)[:3], offset))
    await writing.write(0, b"0123456789")
    assert await writing.read(0, 100) == b"0123456789"
    size, sha256 = await writing.finish()
    assert (size, sha256) == (10, "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882")


async def test_a_full_disk_poisons_the_upload_whatever_comes_after(writing, monkeypatch):
    await writing.write(0, b"begin")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space"):
            await writing.write(5, b"more")
    with pytest.raises(Refused, match="No space left"):
        await writing.write(5, b"more")
    with pytest.raises(Refused, match="No space left"):
        await writing.finish()


async def test_the_hash_is_that_of_the_bytes_in_whatever_order_they_came(writing):
    for offset in (4, 0, 2):
        await writing.write(offset, b"ab")
    assert await writing.finish() == (6, hashlib.sha256(b"ababab").hexdigest())


async def test_a_file_is_cut_but_never_grown(writing):
    await writing.write(0, b"0123456789")
    with pytest.raises(Refused, match="not grown"):
        await writing.cut(11)
    await writing.cut(4)
    assert (await writing.finish())[0] == 4
