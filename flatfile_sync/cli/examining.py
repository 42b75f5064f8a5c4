"""What `doctor` looks at: each look yields findings, and none changes anything."""

import os
import pwd
import re
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from flatfile_sync.cli.examining_wallets import wallets
from flatfile_sync.cli.examining_web import web_door
from flatfile_sync.cli.findings import Finding, Level, failed
from flatfile_sync.config.settings import Settings
from flatfile_sync.daemon.lock import holder
from flatfile_sync.daemon.projects import open_projects
from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import ConfigurationError, TemporaryFailure
from flatfile_sync.pipeline.retention import ORPHAN_AGE
from flatfile_sync.sftp import host_keys
from flatfile_sync.spool.local import Spool
from flatfile_sync.store import health, retention
from flatfile_sync.store.database import Store
from flatfile_sync.store.existing import open_existing
from flatfile_sync.store.health import Vitals

_GIB: Final = 1 << 30
_LITTLE, _TOO_LITTLE = 5 * _GIB, _GIB // 2
_SKEW, _TOO_MUCH_SKEW = timedelta(seconds=2), timedelta(seconds=60)
_PYTHON: Final = (3, 11)
# Before 2.24.1 a path beginning with // left the root; the next minor version may change what we build on.
_ASYNCSSH: Final = ((2, 24, 1), (2, 25))
_SQLITE: Final = (3, 35, 0)  # RETURNING
_LOCK_FILE: Final = Path(__file__).resolve().parents[2] / "requirements.txt"
_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", re.MULTILINE)
_SHOWN: Final = 3


def examine(settings: Settings, *, clock: Clock) -> list[Finding]:
    """Return all findings, in the order of their list."""
    findings = [*_versions(), *_folder(settings.data_folder), *_keys(settings.data_folder / "host_keys")]
    findings += [*_clocks(clock), *_projects(settings.projects_folder), *wallets(settings, clock=clock)]
    findings += [*web_door(settings, clock=clock), _daemon(settings.data_folder)]
    try:
        store = open_existing(settings.database)
    except (ConfigurationError, TemporaryFailure) as error:
        return [*findings, failed("database", error)]
    try:
        found = health.look(store)
        findings += [*_database(found, clock), *_drops(found), *_accounts(found, settings.projects_folder)]
        if (settings.data_folder / "spool").is_dir():
            findings.append(_orphans(settings.data_folder / "spool", store, clock))
    except TemporaryFailure as error:
        findings.append(failed("database", error))
    finally:
        store.close()
    return findings


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield _judged("python", python, "Use Python 3.11 or newer.", good=sys.version_info >= _PYTHON)
    asyncssh = metadata.version("asyncssh")
    low, high = _ASYNCSSH
    yield _judged("asyncssh", asyncssh, "Install asyncssh>=2.24.1,<2.25.", good=low <= _numbers(asyncssh) < high)
    sqlite = health.sqlite_library()
    yield _judged("sqlite", sqlite, "Use a Python with SQLite 3.35 or newer.", good=_numbers(sqlite) >= _SQLITE)
    if _LOCK_FILE.is_file():
        yield _locked(_LOCK_FILE.read_text(encoding="utf-8"))


def _locked(text: str) -> Finding:
    """Compare what is installed with the lock file; what another system or Python needs stands there too."""
    pinned: dict[str, set[str]] = defaultdict(set)
    for name, version in _PIN.findall(text):
        pinned[name].add(version)
    differing = []
    for name, versions in pinned.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if installed not in versions:
            differing.append(f"{name} {installed} (locked {' or '.join(sorted(versions))})")
    if not differing:
        return Finding("packages", "ok", f"as the lock file says ({len(pinned)})")
    more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
    return Finding("packages", "warn", ", ".join(differing[:_SHOWN]) + more, "Install requirements.txt again.")


def _folder(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        yield Finding("data folder", "bad", f"{folder} is not there", "Run `flatfile-sync init`.")
        return
    status = folder.stat()
    mode = status.st_mode & 0o777
    if status.st_uid != os.geteuid():
        remedy = f"Run as {_user(status.st_uid)}, or `chown -R {_user(os.geteuid())} {folder}`."
        yield Finding("data folder", "bad", f"{folder} belongs to {_user(status.st_uid)}", remedy)
    elif mode & 0o077:
        yield Finding("data folder", "bad", f"{folder} has mode {mode:04o}", f"Run `chmod 700 {folder}`.")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("data folder", "bad", f"{folder} cannot be written", f"Run `chmod 700 {folder}`.")
    else:
        yield Finding("data folder", "ok", f"{folder}, mode {mode:04o}, of {_user(status.st_uid)}")
    free = shutil.disk_usage(folder).free
    level: Level = "bad" if free < _TOO_LITTLE else "warn" if free < _LITTLE else "ok"
    remedy = "" if level == "ok" else "Free space, or move the data folder."
    yield Finding("disk", level, f"{free / _GIB:.1f} GiB free", remedy)


def _keys(folder: Path) -> Iterator[Finding]:
    try:
        for name, fingerprint in host_keys.fingerprints(folder).items():
            yield Finding(name.replace("_", " "), "ok", fingerprint)
    except ConfigurationError as error:
        yield failed("host keys", error)


def _clocks(clock: Clock) -> Iterator[Finding]:
    now, before = clock(), time.monotonic()
    steady = time.get_clock_info("monotonic").monotonic and time.monotonic() >= before
    yield _judged(
        "clock", f"{now:%Y-%m-%d %H:%M:%SZ}", "The monotonic clock goes back; look at the machine.", good=steady
    )
    try:
        ZoneInfo("Europe/Paris")
    except (KeyError, OSError):
        yield Finding("time zones", "bad", "no time zone data", "Install the package tzdata.")
    else:
        yield Finding("time zones", "ok", "time zone data is there")


def _projects(root: Path) -> Iterator[Finding]:
    folder = open_projects(root)
    names = folder.names()
    if not names:
        yield Finding("projects", "warn", f"{root} has none", "Run `flatfile-sync init`, or put a folder there.")
    for name in names:
        try:
            project = folder.current(name)
        except ConfigurationError as error:
            first, *more = str(error).splitlines()
            rest = f" (and {len(more)} more)" if more else ""
            remedy = f"Run `flatfile-sync project check {root / name}`."
            yield Finding(f"project {name}", "bad", f"{first}{rest}", remedy)
        else:
            yield Finding(f"project {name}", "ok", f"{len(project.feeds)} feeds, version {project.version[:12]}")


def _daemon(folder: Path) -> Finding:
    owner = holder(folder)
    if owner is None:
        return Finding("daemon", "warn", "none runs on this data folder", "Run `flatfile-sync serve`.")
    return Finding("daemon", "ok", f"process {owner} runs")


def _database(found: Vitals, clock: Clock) -> Iterator[Finding]:
    if found.damage is None:
        yield Finding("database", "ok", f"{found.server}, revision {found.revision}, epoch {found.epoch}")
    else:
        yield Finding("database", "bad", f"{found.server}: {found.damage}", "Stop the daemon and restore a backup.")
    now = clock()
    skew = abs(now - found.clock)
    level: Level = "bad" if skew > _TOO_MUCH_SKEW else "warn" if skew > _SKEW else "ok"
    remedy = "" if level == "ok" else "Synchronise both clocks (NTP)."
    yield Finding("database clock", level, f"{skew.total_seconds():.1f} s apart", remedy)
    if found.newest is not None and found.newest > now + _TOO_MUCH_SKEW:
        back = f"the newest drop was received at {found.newest:%Y-%m-%d %H:%M:%SZ}, after now"
        yield Finding("wall clock", "bad", back, "Set the clock; drops wait until then.")


def _drops(found: Vitals) -> Iterator[Finding]:
    for word, count, remedy in (
        ("stuck", found.stuck, "`drops list --stuck` shows them, `drops retry ID` lets one go on."),
        ("held", found.held, "`drops list --state held` shows them; `drops force ID` or `drops cancel ID`."),
    ):
        yield Finding(f"{word} drops", "warn" if count else "ok", str(count), remedy if count else "")


def _accounts(found: Vitals, root: Path) -> Iterator[Finding]:
    names = open_projects(root).names()
    lost = sorted(account for account, project in found.account_projects.items() if project not in names)
    if lost:
        remedy = f"Put the project back into {root}, or `accounts disable NAME`."
        yield Finding("accounts", "bad", f"without a project: {', '.join(lost)}", remedy)
    elif not found.account_projects:
        yield Finding("accounts", "warn", "none: nobody can come in", "Run `flatfile-sync accounts add`.")
    else:
        yield Finding("accounts", "ok", str(len(found.account_projects)))


def _orphans(folder: Path, store: Store, clock: Clock) -> Finding:
    before = clock() - ORPHAN_AGE
    stored = Spool(folder).stored_before(before)
    count = len(store.read_now(lambda conn: retention.unnamed_blobs(conn, stored, settled_since=before)))
    if count:
        return Finding("spool", "warn", f"{count} files that nothing names", "The running daemon removes them hourly.")
    return Finding("spool", "ok", f"{len(stored)} files, each with an owner")


def _judged(about: str, found: str, remedy: str, *, good: bool) -> Finding:
    return Finding(about, "ok", found) if good else Finding(about, "bad", found, remedy)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
