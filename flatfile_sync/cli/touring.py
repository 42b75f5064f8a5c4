"""The demonstration: a daemon in a temporary folder, and a partner who drops files, reads results, mends rejects."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from flatfile_sync.cli.output import print_table
from flatfile_sync.cli.partner import Address, Partner, ResultSet
from flatfile_sync.cli.results import print_ack, print_problems, print_summary
from flatfile_sync.cli.serving import LISTENING
from flatfile_sync.config.settings import Settings
from flatfile_sync.daemon import examples
from flatfile_sync.daemon.setup import ACCOUNT, PROJECT, init
from flatfile_sync.daemon.wiring import HOST_KEYS
from flatfile_sync.domain.failures import TemporaryFailure
from flatfile_sync.sftp import host_keys

_PROGRAM: Final = (sys.executable, "-m", "flatfile_sync.cli")
_WAIT: Final = 120.0
_STOP: Final = 30.0
# A member of the sample files who gets points.
HOLDER: Final = "M000009"
NEW_POINTS: Final = 12_345


def tour(*, keep: bool) -> None:
    """Run the demonstration in a temporary folder that goes away at the end; with `keep`, after Ctrl-C."""
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="flatfile-sync-demo-"))
    try:
        config = folder / "flatfile-sync.toml"
        _step(
            "A data folder with host keys, the example project and an account", f"flatfile-sync --config {config} init"
        )
        settings = init(config, port=0).settings
        samples = examples.folder("sample_files") / PROJECT
        _step(
            "5,000 passes that exist already",
            f"flatfile-sync passes import {samples.name}/passes.csv --project {PROJECT}",
        )
        subprocess.run(  # noqa: S603 - this program, with files of its own
            [*_PROGRAM, "--config", config, "passes", "import", samples / "passes.csv", "--project", PROJECT],
            check=True,
        )
        with _daemon(config, folder / "daemon.log") as (host, port):
            address = Address(
                host=host, port=port, user=ACCOUNT, key=folder / "keys" / ACCOUNT, fingerprints=_fingerprints(settings)
            )
            with Partner(address) as partner:
                pass_id = _tour(partner, address, samples)
        with _stage(folder / "wallets") as stage, _daemon(config, folder / "daemon.log", stage) as (host, port):
            address = replace(address, host=host, port=port)
            if stage is not None:
                with Partner(address) as partner:
                    _phone(partner, stage, config, folder, pass_id)
            print(f"\nDone in {time.monotonic() - begun:.0f} s. `make serve` runs the daemon for real.")
            if keep:
                _wait_for_interrupt(address)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tour(partner: Partner, address: Address, samples: Path) -> str:
    """Drop, read, mend and drop again; return the id of a pass that was changed."""
    sftp = f"sftp -P {address.port} -i {address.key} {address.user}@{address.host}"
    members = samples / "members.csv"
    _step("A partner drops members.csv over SFTP", f"{sftp}   then: put {members.name} /inbox/")
    first = _drop(partner, members, members.name)
    _step("The result set in the outbox", "in sftp: ls -l /outbox, get /outbox/members.csv.*")
    print_table(
        ("bytes", "file in /outbox"), [(len(data), f"{first.stem}.{kind}") for kind, data in first.files.items()]
    )
    print("\nThe first rows of .result.csv:")
    columns = ("_line", "_key", "_status", "_changed", "_codes", "_apple", "_google")
    _print_columns(columns, first.table("result.csv")[:5])
    delivered = first.table("delivery.csv")
    print("\nThe first rows of .delivery.csv, written once every holder's platform has answered:")
    _print_columns(("_line", "_key", "_apple", "_google", "_attempts", "_settled_at"), delivered[:3])

    name = f"{first.stem}.rejects.csv"
    count = len(first.files["rejects.csv"].splitlines()) - 1
    _step(f"The {count} lines of .rejects.csv, mended in an editor, come back", f"in sftp: put {name} /inbox/")
    _drop(partner, samples / "members.rejects.repaired.csv", name)

    _step("The same members.csv once more: nothing is applied, nobody is notified", "in sftp: put members.csv /inbox/")
    _drop(partner, members, members.name)
    return next(row["_pass_id"] for row in first.table("result.csv") if row["_key"] == HOLDER)


def _phone(partner: Partner, stage: Any, config: Path, folder: Path, pass_id: str) -> None:
    """Let a phone take a pass, and a file change it."""
    _step("A holder opens an add-to-wallet link on an iPhone", f"flatfile-sync links create {pass_id}")
    made = subprocess.run(  # noqa: S603 - this program, with files of its own
        [*_PROGRAM, "--config", config, "links", "create", pass_id],
        env=os.environ | stage.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    stage.add(made.stdout.strip())
    print_table(("on the phone", ""), stage.face().items())
    file = folder / "members-evening.csv"
    file.write_text(f"id.memberId,additionalData.points\n{HOLDER},{NEW_POINTS}\n")
    _step("A row with new points reaches the phone: pushed, fetched, verified with openssl", f"put {file.name} /inbox/")
    with stage.attending():
        found = _drop(partner, file, file.name)
    for text in stage.lock_screen:
        print(f"\n   on the lock screen: {text}")
    print()
    print_table(("on the phone", ""), stage.face().items())
    _print_columns(("_line", "_key", "_apple", "_google", "_settled_at"), found.table("delivery.csv"))
    for text in stage.complaints:
        print(f"   the phone complains: {text}")


@contextmanager
def _stage(folder: Path) -> Iterator[Any]:
    """Yield phones and stand-ins of Apple, which come with a clone and need openssl; else None."""
    try:
        stage = import_module("tests.stage").stage
    except ImportError:
        yield None
        return
    with stage(folder) as found:
        yield found


def _print_columns(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    print_table(names, [[row[name] for name in names] for row in rows])


def _drop(partner: Partner, file: Path, name: str) -> ResultSet:
    """Put a file, show what comes back, and return the result set with its delivery report if one is due."""
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), transient=True) as bars:
        upload = bars.add_task(f"sending {name}", total=file.stat().st_size)
        sent = partner.put(file, "/inbox", name=name, progress=lambda done, _total: bars.update(upload, completed=done))
        ack = sent.ack(timeout=_WAIT)
        waiting = bars.add_task("waiting for the summary", total=None)

        def tell(step: str, records: int) -> None:
            bars.update(waiting, description=f"{step}: {records:,} records")

        found = sent.result_set(ack["stem"], timeout=_WAIT, progress=tell)
        if any(owed["owed"] for owed in found.summary["deliveries"].values()):
            bars.update(waiting, description="waiting for the delivery report")
            found = sent.result_set(ack["stem"], last="delivery.json", timeout=_WAIT)
    # Fetched again with the rest: it is replaced when the decision changes.
    print_ack(json.loads(found.files["ack.json"]))
    print()
    print_summary(found.summary)
    problems = found.table("issues.csv")
    if problems:
        print("\nThe first problems:")
        print_problems(problems)
    return found


@contextmanager
def _daemon(config: Path, log: Path, stage: Any = None) -> Iterator[tuple[str, int]]:
    """Run `flatfile-sync serve` in a process of its own, with the wallets of a stage, and yield where it listens."""
    wallets = " again, with Apple Wallet: certificate and APNs are stand-ins on this machine" if stage else ""
    _step(f"The daemon{wallets or ', on loopback'}", f"flatfile-sync --config {config} serve")
    with log.open("ab") as errors:
        daemon = subprocess.Popen(  # noqa: S603 - this program, with files of its own
            [*_PROGRAM, "--config", config, "serve"],
            env=os.environ | (stage.environment if stage else {}),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        host, port = _listening(daemon, log)
        print(f"listening on {host}:{port}")
        yield host, port
    finally:
        daemon.terminate()
        try:
            daemon.wait(_STOP)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _listening(daemon: "subprocess.Popen[str]", log: Path) -> tuple[str, int]:
    for line in daemon.stdout or ():
        if line.startswith(LISTENING):
            host, _, port = line.removeprefix(LISTENING).strip().rpartition(":")
            return host, int(port)
    raise TemporaryFailure(f"The daemon ended before it listened; its log:\n{log.read_text(errors='replace')}")


def _fingerprints(settings: Settings) -> tuple[str, ...]:
    return tuple(host_keys.fingerprints(settings.data_folder / HOST_KEYS).values())


def _wait_for_interrupt(address: Address) -> None:
    print(
        f"\nThe daemon goes on. sftp -P {address.port} -i {address.key} {address.user}@{address.host}   Ctrl-C ends it."
    )
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print("ending")


_numbers: Final = itertools.count(1)


def _step(title: str, by_hand: str) -> None:
    print(f"\n{next(_numbers)}. {title}\n   by hand: {by_hand}\n", flush=True)
