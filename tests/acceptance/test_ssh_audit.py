"""An independent look at what the door offers: ssh-audit, with a policy of our own for each profile."""

import asyncio
import sys
from pathlib import Path

import pytest

from flatfile_sync.sftp import host_keys
from flatfile_sync.sftp.algorithms import OFFERS
from tests.builders import kit
from tests.sftp_line import Line

PROGRAM = Path(sys.executable).with_name("ssh-audit")
POLICIES = Path(__file__).with_name("policies")


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host_keys")
    host_keys.make(folder)
    return host_keys.load(folder)


@pytest.fixture
def means(sqlite_store, spool, clock):
    return kit(sqlite_store, spool, clock=clock)


async def audit(line, policy):
    if not PROGRAM.exists():
        raise AssertionError(f"{PROGRAM} is missing; `make .venv/dev` brings it (pip install ssh-audit).")
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "-P", policy, "-p", str(line.door.port), "127.0.0.1", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, said.decode()


@pytest.mark.parametrize("profile", OFFERS)
async def test_the_door_offers_exactly_what_the_policy_says(means, tmp_path, keys, profile):
    """Key exchange (strict, against Terrapin), ciphers, MACs, host keys and their sizes, in their order."""
    async with Line(means, tmp_path, host_keys=keys, algorithms=profile) as line:
        code, said = await audit(line, POLICIES / f"{profile}.txt")
        assert code == 0, said
        assert "kex-strict-s-v00@openssh.com" in (POLICIES / f"{profile}.txt").read_text()
        other = next(name for name in OFFERS if name != profile)
        code, said = await audit(line, POLICIES / f"{other}.txt")
        assert code != 0, said
