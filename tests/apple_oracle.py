"""What Wallet would say about a pkpass: OpenSSL's verdict on the signature, and what OpenSSL does not look at.

Nothing of the product is imported here. `openssl cms -verify` alone takes a signature without signing time, one that is
not detached, and one of another pass type; so its structure is looked at too, as OpenSSL prints it.
"""

import hashlib
import io
import json
import re
import shutil
import subprocess
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

OPENSSL = shutil.which("openssl")

_SIGNING_TIME = re.compile(r"signingTime \(1\.2\.840\.113549\.1\.9\.5\)\s+set:\s+(?:UTCTIME|GENERALIZEDTIME):(.+?) GMT")
_APART = {"manifest.json", "signature"}


def complaints(pkpass: bytes, *, root: bytes) -> list[str]:
    """Return what is wrong with a pass, one sentence each; `root` is the PEM of Apple's root certificate."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(pkpass))
    except zipfile.BadZipFile:
        return ["it is no zip file"]
    names = archive.namelist()
    if len(set(names)) != len(names):
        return [f"a name stands twice in the zip: {sorted(names)}"]
    files = {name: archive.read(name) for name in names}
    missing = {"pass.json", "manifest.json", "signature", "icon.png"} - set(files)
    if missing:
        return [f"{name} is missing" for name in sorted(missing)]
    told = json.loads(files["pass.json"], object_pairs_hook=_once)
    return [
        *manifest_complaints(files),
        *signature_complaints(
            files["signature"],
            files["manifest.json"],
            root=root,
            identifier=told["passTypeIdentifier"],
            team=told["teamIdentifier"],
        ),
    ]


def manifest_complaints(files: dict[str, bytes]) -> list[str]:
    """Say which files the manifest leaves out, makes up or has the wrong digest of."""
    manifest = json.loads(files["manifest.json"], object_pairs_hook=_once)
    digests = {name: hashlib.sha1(data).hexdigest() for name, data in files.items() if name not in _APART}  # noqa: S324 - Apple's format
    return [
        f"the manifest says {manifest.get(name)} of {name}, which has {digests.get(name)}"
        for name in sorted(manifest.keys() | digests.keys())
        if manifest.get(name) != digests.get(name)
    ]


def signature_complaints(signature: bytes, manifest: bytes, *, root: bytes, identifier: str, team: str) -> list[str]:
    """Say what is wrong with the signature over a manifest; `identifier` and `team` stand in `pass.json`."""
    with tempfile.TemporaryDirectory(prefix="oracle-") as name:
        folder = Path(name)
        (folder / "signature").write_bytes(signature)
        (folder / "manifest.json").write_bytes(manifest)
        (folder / "root.pem").write_bytes(root)
        # A leaf of Apple's may not sign mail, which is what OpenSSL looks for unless told otherwise.
        verdict = _openssl(
            folder,
            *("-verify", "-binary", "-purpose", "any", "-inform", "DER", "-in", "signature"),
            *("-content", "manifest.json", "-CAfile", "root.pem", "-signer", "signer.pem", "-out", "signed"),
        )
        if verdict.returncode:
            return [f"openssl refuses the signature: {verdict.stderr.strip().splitlines()[-1]}"]
        shown = _openssl(folder, "-cmsout", "-print", "-noout", "-inform", "DER", "-in", "signature").stdout
        signer = x509.load_pem_x509_certificate((folder / "signer.pem").read_bytes())
    found = []
    if "eContent: <ABSENT>" not in shown:
        found.append("the signature is not detached")
    found += _signing_time_complaints(shown, signer)
    for oid, word, wanted in (
        (NameOID.USER_ID, "UID", identifier),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "OU", team),
    ):
        values = [attribute.value for attribute in signer.subject.get_attributes_for_oid(oid)]
        if values != [wanted]:
            found.append(f"the {word} of the signer is {values}, pass.json says {wanted!r}")
    return found


def _signing_time_complaints(shown: str, signer: x509.Certificate) -> list[str]:
    times = _SIGNING_TIME.findall(shown)
    if len(times) != 1:
        return [f"there are {len(times)} signing times"]
    moment = datetime.strptime(times[0], "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    if not signer.not_valid_before_utc <= moment <= signer.not_valid_after_utc:
        return [f"signed at {moment}, outside the validity of the certificate"]
    return []


def _openssl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [OPENSSL or "openssl", "cms", *arguments]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, errors="replace")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object that has a key twice, which `json` would let pass."""
    assert len({key for key, _ in pairs}) == len(pairs), f"a key stands twice: {[key for key, _ in pairs]}"
    return dict(pairs)
