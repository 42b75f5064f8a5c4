"""What lies inside the layers of a file comes out whole, or an issue says why not."""

import bz2
import gzip
import hashlib
import io
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from flatfile_sync.domain.layers import Layer, LayerLimits
from flatfile_sync.files.layers import HEAD, layer_of, open_layers
from tests.packing import PACK, zip_of, zstd

CSV = b"id,additionalData.points\n" + b"".join(b"M%06d,%d\n" % (n, n * 7919 % 1000) for n in range(5000))


@pytest.fixture
def opened(tmp_path):
    """Open bytes as a file with an unhelpful name; return what was found and the content."""

    def work(data, **limits):
        source, target = tmp_path / "drop", tmp_path / "content"
        target.unlink(missing_ok=True)
        source.write_bytes(data)
        found = open_layers(source, target, limits=LayerLimits(**limits))
        content = target.read_bytes() if target.exists() else None
        left = {path.name for path in tmp_path.iterdir()} - {"drop", "content"}
        assert not left, "nothing is left of the layers in between"
        return found, content

    return work


@pytest.mark.parametrize("layer", Layer)
def test_a_layer_is_told_by_its_bytes_and_comes_off(layer, opened):
    found, content = opened(PACK[layer](CSV))
    assert (found.layers, found.issue, content) == ((layer,), None, CSV)
    assert (found.bytes, found.sha256) == (len(CSV), hashlib.sha256(CSV).hexdigest())


@pytest.mark.parametrize("head", [b"", b"P", b"PK", b"id,x\n", b"BZh9,x\n", b"\xef\xbb\xbfid", b"\xff\xfei\x00d\x00"])
def test_content_is_no_layer(head):
    assert layer_of(head[:HEAD]) is None


@pytest.mark.parametrize("layer", [Layer.GZIP, Layer.ZSTD, Layer.BZIP2])
def test_streams_one_after_the_other_are_one_content(layer, opened):
    parts = [CSV[start : start + 9000] for start in range(0, len(CSV), 9000)]
    found, content = opened(b"".join(map(PACK[layer], parts)))
    assert (found.issue, content) == (None, CSV)


def test_zeros_after_a_gzip_file_are_padding(opened):
    found, content = opened(gzip.compress(CSV) + bytes(10_000))
    assert (found.issue, content) == (None, CSV)


def test_a_zstd_frame_to_be_skipped_is_skipped(opened):
    skipped = struct.pack("<II", 0x184D2A50, 4) + b"note"
    found, content = opened(skipped + zstd.compress(CSV))
    assert (found.layers, found.issue, content) == ((Layer.ZSTD,), None, CSV)


@pytest.mark.parametrize("layer", Layer)
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.999])
def test_a_layer_that_is_cut_off_names_its_end(layer, keep, opened):
    data = PACK[layer](CSV)
    data = data[: max(HEAD, int(len(data) * keep))]
    found, content = opened(data)
    assert (found.issue.code, content) == ("F11", None)
    assert layer in found.issue.message
    assert f"byte {len(data)}," in found.issue.message


@pytest.mark.parametrize("layer", Layer)
def test_a_damaged_byte_is_named_within_four_kibibytes(layer, opened):
    noise = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(2000))
    data = bytearray(PACK[layer](noise))
    place = len(data) // 2
    data[place : place + 64] = bytes(64)
    found, content = opened(bytes(data))
    assert (found.issue.code, content) == ("F10", None)
    assert layer in found.issue.message
    # A checksum of the whole (gzip, zip) or of a block (bzip2, zstd) is looked at where it stands.
    offset = int(found.issue.message.partition("at byte ")[2].partition(":")[0])
    assert 0 <= offset <= len(data)


@pytest.mark.parametrize("layer", [Layer.GZIP, Layer.ZSTD, Layer.BZIP2])
def test_other_bytes_after_the_end_are_named_by_their_place(layer, opened):
    data = PACK[layer](CSV)
    found, content = opened(data + b"\n-- end of export")
    assert (found.issue.code, content) == ("F10", None)
    assert f"byte {len(data)}: other bytes follow" in found.issue.message


@pytest.mark.parametrize("layer", Layer)
def test_a_bomb_is_an_issue_while_memory_stays_flat(layer, opened):
    data = PACK[layer](bytes(64 << 20))
    tracemalloc.start()
    found, content = opened(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.issue.code, content) == ("F09", None)
    assert "max_ratio is 200" in found.issue.message
    assert peak < 16 << 20


def test_what_comes_out_may_be_as_long_as_the_limit_and_no_longer(opened):
    assert opened(gzip.compress(CSV), max_bytes=len(CSV))[0].issue is None
    assert opened(gzip.compress(CSV), max_bytes=len(CSV) - 1)[0].issue.code == "F09"


def test_a_short_file_may_be_packed_as_well_as_it_likes(opened):
    assert opened(zstd.compress(bytes(15 << 20)))[0].issue is None


def test_two_layers_come_off_and_a_third_does_not(opened):
    twice = gzip.compress(zip_of({"a.csv": CSV}))
    found, content = opened(twice)
    assert (found.layers, content) == ((Layer.GZIP, Layer.ZIP), CSV)
    found, content = opened(bz2.compress(twice))
    assert (found.issue.code, content) == ("F13", None)


def test_an_empty_layer_holds_an_empty_file(opened):
    found, content = opened(gzip.compress(b""))
    assert (found.issue, content, found.bytes) == (None, b"", 0)


def test_more_streams_than_anybody_writes_are_refused(opened):
    found, _ = opened(gzip.compress(b"", mtime=0) * 100_001)
    assert found.issue.code == "F14"


def test_a_frame_that_asks_for_much_memory_is_refused(opened):
    # RFC 8878 section 3.1.1.1.2: a window of 2 GiB, then an empty last block.
    found, _ = opened(b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00")
    assert found.issue.code == "F14"
    assert "128 MiB" in found.issue.message


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_member_may_be_packed_by_each_usual_method(method, opened):
    assert opened(zip_of({"a.csv": CSV}, method=method))[1] == CSV


def test_folders_and_the_shadows_of_macos_are_no_members(opened):
    archive = zip_of({"export/": b"", "export/a.csv": CSV, "__MACOSX/export/._a.csv": b"x"})
    assert opened(archive)[1] == CSV


def test_a_zip_that_was_written_as_a_stream_is_read(opened):
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise OSError

        def seek(self, *_):
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", CSV)
    assert opened(pipe.getvalue())[1] == CSV


def test_a_zip_with_64_bit_sizes_is_read(opened):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive, archive.open("a.csv", "w", force_zip64=True) as member:
        member.write(CSV)
    assert opened(target.getvalue())[1] == CSV


@pytest.mark.parametrize(
    ("archive", "code", "word"),
    [
        (zip_of({}), "F12", "0 files"),
        (zip_of({"a.csv": CSV, "b.csv": CSV}), "F12", "2 files"),
        (zip_of({f"{n}.csv": b"x" for n in range(101)}), "F12", "101 files"),
        (zip_of({"../../etc/a.csv": CSV}, mode=0o120777), "F14", "link"),
        (zip_of({"a.csv": CSV}, method=zipfile.ZIP_LZMA), "F14", "method 14"),
        (zip_of({"a.csv": CSV})[:-22] + b"\n" * 22, "F11", "byte"),
    ],
    ids=["empty", "two", "many", "link", "lzma", "no directory"],
)
def test_an_archive_that_is_not_one_plain_file_is_refused(archive, code, word, opened):
    found, content = opened(archive)
    assert (found.issue.code, content) == (code, None)
    assert word in found.issue.message


def test_a_name_that_leads_elsewhere_is_no_path(opened, tmp_path):
    found, content = opened(zip_of({"../../outside.csv": CSV}))
    assert (found.issue, content) == (None, CSV)
    assert not (tmp_path.parent.parent / "outside.csv").exists()


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("its crc", lambda data, entry: data.__setitem__(slice(entry + 16, entry + 20), b"\0\0\0\0")),
        ("its size", lambda data, entry: data.__setitem__(slice(entry + 24, entry + 28), b"\1\0\0\0")),
        ("its offset", lambda data, entry: data.__setitem__(slice(entry + 42, entry + 46), b"\xf0\xff\xff\x7f")),
        ("its packed size", lambda data, entry: data.__setitem__(slice(entry + 20, entry + 24), b"\xf0\xff\xff\x7f")),
        ("its mark", lambda data, entry: data.__setitem__(slice(entry, entry + 4), b"XXXX")),
    ],
)
def test_a_directory_that_says_something_else_than_its_member_is_damage(what, change, opened):
    data = bytearray(zip_of({"a.csv": CSV}))
    change(data, data.rfind(b"PK\x01\x02"))
    found, content = opened(bytes(data))
    assert (what, found.issue.code, content) == (what, "F10", None)


def test_a_directory_whose_end_lies_in_its_count_is_damage(opened):
    data = bytearray(zip_of({"a.csv": CSV}))
    data[-14:-10] = struct.pack("<2H", 2, 2)
    assert opened(bytes(data))[0].issue.code == "F10"


def test_a_checksum_is_looked_at(opened):
    data = bytearray(gzip.compress(CSV))
    data[-8:-4] = struct.pack("<I", zlib.crc32(CSV) ^ 1)
    assert opened(bytes(data))[0].issue.code == "F10"
