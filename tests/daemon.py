"""A real daemon in a process of its own, and its partners: what acceptance tests and drills drive."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from flatfile_sync.cli.partner import Address, Partner
from flatfile_sync.daemon.setup import ACCOUNT, init
from flatfile_sync.daemon.wiring import HOST_KEYS
from flatfile_sync.sftp import host_keys
from flatfile_sync.store.database import Store

START_SECONDS = 30


def prepare_folder(folder: Path) -> None:
    """Make what `init` makes, to be copied: host keys take longer than a test should."""
    settings = init(folder / "flatfile-sync.toml").settings
    # No drop waits longer than it must; what settling is for has tests of its own.
    project = settings.projects_folder / "loyalty" / "project.toml"
    text = re.sub(r"^settle = .*\n", "", project.read_text(), flags=re.MULTILINE)
    project.write_text(re.sub(r"^(globs = .*\n)", r'\1settle = "0s"\n', text, flags=re.MULTILINE))


class Daemon:
    """`flatfile-sync serve` on a data folder; `hook` is a module that is imported first (the drills' kill points)."""

    def __init__(self, prepared: Path, folder: Path, *, database_url="", hook=None, settings=None) -> None:
        shutil.copytree(prepared, folder)
        if database_url:
            # The account of the copy lives in its own SQLite; the other database gets one with a key of its own.
            shutil.rmtree(folder / "keys")
        self.folder = folder
        self.config = folder / "flatfile-sync.toml"
        self.environment = os.environ | {
            "FLATFILE_SYNC_DATABASE_URL": database_url,
            "FLATFILE_SYNC_SFTP__PORT": "0",
            # Its import takes as long as all the rest; a test that wants the door says so.
            "FLATFILE_SYNC_WEB__ENABLED": "false",
            "FLATFILE_SYNC_WEB__PORT": "0",
            "FLATFILE_SYNC_WORK__PROCESSES": "1",
            **(settings or {}),
        }
        self.hook = hook
        self.log = folder / "daemon.log"
        self.process: subprocess.Popen | None = None
        self.port = 0
        self.web = ""
        with _environment(self.environment):
            self.settings = init(self.config).settings

    @property
    def key(self) -> Path:
        return self.folder / "keys" / ACCOUNT

    def start(self) -> None:
        program = "from flatfile_sync.cli.main import main; main()"
        if self.hook is not None:
            program = f"import {self.hook}; {program}"
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, "--config", str(self.config), "serve"],
                env=self.environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        for line in self.process.stdout:
            if line.startswith("the web door is at "):
                self.web = line.removeprefix("the web door is at ").strip()
            if line.startswith("listening on "):
                self.port = int(line.rpartition(":")[2])
                return
        raise AssertionError(f"the daemon ended before it listened:\n{self.log.read_text()[-4000:]}")

    def wait(self) -> int:
        """Wait for the process to end by itself and return its exit code."""
        code = self.process.wait(START_SECONDS * 4)
        self.process.stdout.close()
        self.process = None
        return code

    def kill(self) -> None:
        """End the parent alone, as the kernel does: no handler runs."""
        self.process.send_signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait()
            if self.process is not None:
                self.process.kill()
                self.wait()

    @property
    def address(self) -> Address:
        known = host_keys.fingerprints(self.settings.data_folder / HOST_KEYS).values()
        return Address(host="127.0.0.1", port=self.port, user=ACCOUNT, key=self.key, fingerprints=tuple(known))

    def partner(self) -> Partner:
        return Partner(self.address)

    def store(self) -> Store:
        """Open the daemon's database as a guest."""
        with _environment(self.environment):
            return Store(self.settings.database)

    def sftp(self, *lines: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run OpenSSH's client with a batch of commands."""
        if shutil.which("sftp") is None:
            raise AssertionError("OpenSSH's sftp is missing; `apt-get install openssh-client` brings it.")
        done = subprocess.run(
            [
                "sftp",
                *("-b", "-", "-P", str(self.port), "-i", str(self.key)),
                *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
                *("-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes"),
                f"{ACCOUNT}@127.0.0.1",
            ],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stderr + self.log.read_text()[-2000:]
        return done

    def until(self, ready, *, seconds: float = 60.0):
        """Return what `ready()` returns once it is true; the daemon is another process, so it is asked again."""
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            if time.monotonic() > deadline or (self.process is not None and self.process.poll() is not None):
                raise AssertionError(f"it did not come to that:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)
        return found


@contextlib.contextmanager
def _environment(values):
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
