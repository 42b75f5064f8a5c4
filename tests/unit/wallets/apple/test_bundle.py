import io
import json
import zipfile

import pytest

from flatfile_sync.domain.failures import PermanentFailure, Refused
from flatfile_sync.wallets.apple.archive import File, archive
from flatfile_sync.wallets.apple.bundle import MOST_BYTES, build, bundle
from tests.apple_keys import PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, apple_keys
from tests.apple_oracle import complaints, manifest_complaints
from tests.marks import needs_openssl
from tests.unit.wallets.apple.passes import certificate

PASS_JSON = json.dumps({"passTypeIdentifier": PASS_TYPE_IDENTIFIER, "teamIdentifier": TEAM_IDENTIFIER}).encode()
FILES = (
    File("icon.png", b"an icon"),
    File("icon@2x.png", b"a larger icon"),
    File("fr.lproj/pass.strings", '"points" = "Points fidélité";\n'.encode("utf-16")),
    File("fr.lproj/logo.png", b""),
)


def opened(data):
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        return {info.filename: found.read(info) for info in found.infolist()}


@needs_openssl
def test_what_we_build_has_nothing_that_the_oracle_complains_about():
    assert complaints(build(PASS_JSON, FILES, by=certificate()), root=apple_keys().root_pem) == []


@needs_openssl
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"icon.png": b"another icon"}, "the manifest says"),
        ({"extra.png": b"more"}, "the manifest says None of extra.png"),
        ({"icon@2x.png": None}, "of icon@2x.png, which has None"),
        ({"icon.png": None}, "icon.png is missing"),
        ({"signature": None}, "signature is missing"),
        ({"manifest.json": b"{}"}, "the manifest says None of fr.lproj/logo.png"),
        ({"pass.json": PASS_JSON.replace(b"EXAMPLE", b"EXEMPLE")}, "the manifest says"),
    ],
)
def test_the_oracle_complains_about_each_thing_that_was_tampered_with(change, told):
    files = opened(build(PASS_JSON, FILES, by=certificate())) | change
    tampered = archive(File(name, data) for name, data in files.items() if data is not None)
    assert told in complaints(tampered, root=apple_keys().root_pem)[0]


@needs_openssl
def test_the_oracle_complains_about_a_pass_of_another_team():
    told = PASS_JSON.replace(b"EXAMPLE123", b"EXAMPLE124")
    found = complaints(build(told, FILES, by=certificate()), root=apple_keys().root_pem)
    assert found == ["the OU of the signer is ['EXAMPLE123'], pass.json says 'EXAMPLE124'"]


def test_any_zip_reader_reads_it_and_nothing_is_deflated():
    data = build(PASS_JSON, FILES, by=certificate())
    files = opened(data)
    assert files["fr.lproj/pass.strings"] == FILES[2].data
    assert files["pass.json"] == PASS_JSON
    assert manifest_complaints(files) == []
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert {info.compress_type for info in found.infolist()} == {zipfile.ZIP_STORED}
        assert {info.external_attr >> 16 for info in found.infolist()} == {0o100644}


def test_equal_input_gives_equal_bytes_but_for_the_signature():
    first, again = (opened(build(PASS_JSON, files, by=certificate())) for files in (FILES, tuple(reversed(FILES))))
    assert list(first) == list(again)
    assert first.pop("signature") != b""
    again.pop("signature")
    assert first == again
    assert archive(FILES) == archive(tuple(File(file.path, file.data) for file in FILES))


def test_a_name_that_is_not_ascii_is_read_as_it_was_written():
    assert opened(archive([File("reçu.png", b"x")])) == {"reçu.png": b"x"}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ((), "has no icon.png"),
        ((FILES[0], FILES[0]), "icon.png"),
        ((FILES[0], File("pass.json", b"{}")), "pass.json"),
        ((FILES[0], File("signature", b"")), "signature"),
        ((FILES[0], File("manifest.json", b"")), "manifest.json"),
    ],
)
def test_what_no_device_opens_is_not_built(files, told):
    with pytest.raises(PermanentFailure, match=told):
        build(PASS_JSON, files, by=certificate())


def test_up_to_ten_passes_go_into_one_bundle():
    passes = [build(PASS_JSON, FILES, by=certificate())] * 10
    assert list(opened(bundle(passes)).values()) == passes
    with pytest.raises(Refused, match="11 passes"):
        bundle([*passes, passes[0]])
    with pytest.raises(Refused, match="0 passes"):
        bundle([])


def test_a_bundle_has_at_most_150_mb():
    half = bytes(MOST_BYTES // 2)
    assert len(bundle([half, half])) > MOST_BYTES
    with pytest.raises(Refused, match="at most 150,000,000 bytes"):
        bundle([half, half, b"x"])
