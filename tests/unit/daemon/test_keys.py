import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flatfile_sync.daemon.keys import new_key_pair, parse_public_key
from flatfile_sync.domain.failures import Refused

# A key of a security token, from the tests of OpenSSH's own format; nobody holds its other half here.
TOKEN = (
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAABHNzaDo="
)
PRIVATE, _LINE = new_key_pair(comment="partner")
PUBLIC = _LINE.removesuffix(" partner\n")


def rsa_line(bits):
    key = rsa.generate_private_key(65537, bits).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def ecdsa_line():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen (package openssh-client) is not installed")
@pytest.mark.parametrize(
    "line", [PUBLIC, rsa_line(3072), ecdsa_line(), TOKEN], ids=["ed25519", "rsa", "ecdsa", "token"]
)
def test_a_fingerprint_is_that_of_ssh_keygen(tmp_path, line):
    file = tmp_path / "key.pub"
    file.write_text(f"{line} somebody@somewhere\n")
    shown = subprocess.run(["ssh-keygen", "-lf", file], capture_output=True, text=True, check=True).stdout
    assert parse_public_key(file.read_text()) == (shown.split()[1], line, "somebody@somewhere")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen (package openssh-client) is not installed")
def test_a_new_pair_is_one_pair(tmp_path):
    file = tmp_path / "id"
    file.write_bytes(PRIVATE)
    file.chmod(0o600)
    derived = subprocess.run(["ssh-keygen", "-yf", file], capture_output=True, text=True, check=True).stdout
    assert derived.split()[:2] == PUBLIC.split()
    assert new_key_pair(comment="partner") != (PRIVATE, _LINE)


def test_comment_lines_are_passed_over_and_a_comment_may_have_spaces():
    fingerprint, key, comment = parse_public_key(f"# from the CRM team\n\n{PUBLIC} the nightly job\r\n")
    assert fingerprint.startswith("SHA256:")
    assert (key, comment) == (PUBLIC, "the nightly job")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PRIVATE.decode(), "This is a private key"),
        ("", "has 0 lines"),
        (PUBLIC + "\n" + PUBLIC, "has 2 lines"),
        ("ssh-dss AAAAB3NzaC1kc3M=", "DSA keys are not taken"),
        (rsa_line(2048), "at least 3072 bits here; this one has 2048"),
        ("hello world", "does not begin a public key as OpenSSH writes it"),
        (PUBLIC[:40], "does not begin a public key"),
        ("ssh-ed25519 not/base64!", "does not begin a public key"),
        ("ssh-ed25519 " + ecdsa_line().split()[1], "does not begin a public key"),
        ("sk-ssh-ed25519@openssh.com " + ecdsa_line().split()[1], "does not begin a public key"),
    ],
    ids=["private", "empty", "two", "dsa", "short-rsa", "text", "cut", "no-base64", "other-type", "token-other-type"],
)
def test_what_must_not_open_the_door_is_refused_with_the_remedy(text, why):
    with pytest.raises(Refused, match=why):
        parse_public_key(text)
