"""Passes a second on one core: rendered, made and signed, beside what OpenSSL says of the signature alone.

    python -m tests.benchmarks.signing COUNT

The pass is the loyalty card of the examples, about 20 KB; its images are read once, as the daemon does.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from flatfile_sync.daemon.projects import open_projects
from flatfile_sync.domain.states import PassStatus
from flatfile_sync.wallets.apple.certificates import PassCertificate
from flatfile_sync.wallets.apple.issuing import Issuer
from flatfile_sync.wallets.apple.tokens import TokenKeys
from flatfile_sync.wallets.templates.rendering import google_object
from flatfile_sync.wallets.templates.showing import Showing
from tests.apple_keys import PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, apple_keys

_SCHEMAS = Path(__file__).parents[2] / "schemas"
_TIERS = ("Bronze", "Silver", "Gold", "Platinum")
_KEY = "2026"
# OpenSSL 3: `rsa  2048 bits 0.000245s 0.000007s   4081.6 139640.1`, or the short form `rsa 2048 bits 0.000245s ...`.
_SIGNS = re.compile(r"rsa\s+2048\s+bits\s+[\d.]+s\s+[\d.]+s\s+([\d.]+)")


def passes(count: int) -> Iterator[Showing]:
    """Yield members with different values."""
    for number in range(count):
        yield Showing(
            pass_id=f"{number:032x}",
            pass_type="loyalty_card",
            status=PassStatus.ACTIVE,
            revision=2,
            expires_at=None,
            identifiers={"memberId": f"M{number:06}"},
            document={
                "additionalData.points": number,
                "additionalData.tier": _TIERS[number % len(_TIERS)],
                "additionalData.firstName": "Inès",
                "additionalData.memberSince": 2013,
            },
        )


def rate(count: int, work: Callable[[Showing], object]) -> float:
    """Return how many a second of processor time; the first ones fill the caches."""
    shown = list(passes(count))
    for one in shown[: len(_TIERS)]:
        work(one)
    before = time.process_time()
    for one in shown:
        work(one)
    return count / (time.process_time() - before)


def main(count: int) -> None:
    """Measure and print the figures."""
    images: dict[str, bytes] = {}
    projects = open_projects(_SCHEMAS, keep_image=lambda data: images.update({hashlib.sha256(data).hexdigest(): data}))
    pass_type = projects.current("loyalty").pass_type("loyalty_card")
    assert pass_type is not None
    keys = apple_keys()
    certificate = PassCertificate(
        pass_type_identifier=PASS_TYPE_IDENTIFIER,
        team_identifier=TEAM_IDENTIFIER,
        leaf=keys.leaf,
        chain=(keys.wwdr,),
        key=keys.key,
    )
    issuer = Issuer(
        certificate=certificate,
        tokens=TokenKeys({_KEY: b"k" * 48}),
        web_service_url="https://passes.example.com",
        image=images.get,
    )
    sample = issuer.issue(pass_type, next(passes(1)), key_id=_KEY)
    figures: dict[str, Any] = {
        "passes": count,
        "bytes": len(sample),
        "google": rate(count, lambda one: google_object(pass_type, one, image_url=lambda digest: digest)),
        "made": rate(count, lambda one: issuer.make(pass_type, one, key_id=_KEY)),
        "signed": rate(count, lambda one: issuer.issue(pass_type, one, key_id=_KEY)),
        "raw": rate(count, lambda one: keys.key.sign(one.pass_id.encode(), PKCS1v15(), SHA256())),
        "openssl": _openssl(),
    }
    print(json.dumps(figures))


def _openssl() -> float | None:
    """Return what `openssl speed` says of signatures a second, None without it."""
    program = shutil.which("openssl")
    if program is None:
        return None
    done = subprocess.run([program, "speed", "-seconds", "3", "rsa2048"], capture_output=True, text=True, check=False)
    found = _SIGNS.search(done.stdout)
    return float(found[1]) if found else None


if __name__ == "__main__":
    main(int(sys.argv[1]))
