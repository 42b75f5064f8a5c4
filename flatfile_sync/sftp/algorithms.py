"""What the door offers: key exchange, ciphers, integrity, signatures. Nothing here rests on SHA-1, CBC or DSA."""

from typing import Any, Final, Literal, NamedTuple

Profile = Literal["strict", "compat"]


class Offer(NamedTuple):
    """Names as SSH knows them, the preferred first."""

    kex: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]


# Counter mode with encrypt-then-MAC, or GCM: not the pair that Terrapin breaks (chacha20-poly1305, CBC with EtM);
# strict key exchange is advertised by asyncssh in any case.
_CIPHERS: Final = ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes128-ctr")
_STRICT: Final = Offer(
    kex=(
        "mlkem768x25519-sha256",
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "diffie-hellman-group16-sha512",
    ),
    ciphers=_CIPHERS,
    macs=("hmac-sha2-512-etm@openssh.com", "hmac-sha2-256-etm@openssh.com"),
)
OFFERS: Final[dict[Profile, Offer]] = {
    "strict": _STRICT,
    # Debian 12's curl needs the plain MACs; JSch and old .NET libraries the NIST curves and group 14.
    "compat": Offer(
        kex=(
            *_STRICT.kex[:3],
            "ecdh-sha2-nistp256",
            "ecdh-sha2-nistp384",
            "ecdh-sha2-nistp521",
            "diffie-hellman-group16-sha512",
            "diffie-hellman-group18-sha512",
            "diffie-hellman-group14-sha256",
        ),
        ciphers=_CIPHERS,
        macs=(*_STRICT.macs, "hmac-sha2-512", "hmac-sha2-256"),
    ),
}
# No ssh-rsa and no ssh-dss: both sign with SHA-1.
SIGNATURES: Final = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


def options(profile: Profile) -> dict[str, Any]:
    """Return what asyncssh is told about algorithms."""
    offer = OFFERS[profile]
    return {
        "kex_algs": list(offer.kex),
        "encryption_algs": list(offer.ciphers),
        "mac_algs": list(offer.macs),
        "compression_algs": ["none"],
        "signature_algs": list(SIGNATURES),
    }
