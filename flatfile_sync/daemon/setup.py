"""`init`: everything a first daemon needs, each made only where it is missing."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flatfile_sync.config.settings import Settings, example_toml, load_settings
from flatfile_sync.daemon import examples
from flatfile_sync.daemon.keys import new_key_pair, parse_public_key
from flatfile_sync.daemon.wiring import HOST_KEYS
from flatfile_sync.domain.clock import Clock, utc_now
from flatfile_sync.sftp import host_keys
from flatfile_sync.store import accounts
from flatfile_sync.store.accounts import Key
from flatfile_sync.store.database import Connection, Store
from flatfile_sync.store.migrate import prepare

PROJECT: Final = "loyalty"
ACCOUNT: Final = "partner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What there is now.

    `files` were made just now; `private_key` lets the example account in, None if there was an account already.
    """

    settings: Settings
    files: tuple[Path, ...]
    private_key: Path | None


def init(config: Path, *, port: int | None = None, clock: Clock = utc_now) -> Made:
    """Make configuration, data folder, host keys, database, example project and one account with a fresh key pair.

    `port` is that of both doors in a new configuration: 0 where any will do.
    """
    made: list[Path] = []
    config.parent.mkdir(parents=True, exist_ok=True)
    if not config.exists():
        given = {} if port is None else {"port": port}
        text = example_toml(sftp=given, web=given)
        _write(config, text.encode(), mode=0o644)
        made.append(config)
    settings = load_settings(config)
    settings.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made += host_keys.make(settings.data_folder / HOST_KEYS)
    project = settings.projects_folder / PROJECT
    if not any(settings.projects_folder.glob("*/project.toml")):
        shutil.copytree(examples.folder("schemas") / PROJECT, project)
        made.append(project)
    prepare(settings.database)
    private_key = _first_account(settings, config.parent / "keys", clock)
    if private_key is not None:
        made += [private_key, private_key.with_suffix(".pub")]
    return Made(settings=settings, files=tuple(made), private_key=private_key)


def _first_account(settings: Settings, folder: Path, clock: Clock) -> Path | None:
    """Make the example account, unless there is an account already; return the file of its private key."""
    store = Store(settings.database)
    try:
        if store.read_now(accounts.listing):
            return None
        private, public = new_key_pair(comment=f"{ACCOUNT}@flatfile-sync")
        file = folder / ACCOUNT
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(file, private, mode=0o600)
        _write(file.with_suffix(".pub"), public.encode(), mode=0o644)
        parsed = parse_public_key(public)
        now = clock()

        def add(conn: Connection) -> None:
            accounts.add(conn, name=ACCOUNT, project=PROJECT, feeds=(), now=now)
            key = Key(ACCOUNT, parsed.fingerprint, parsed.public_key, parsed.comment, now, None)
            accounts.add_key(conn, key)

        store.write_now(add)
    finally:
        store.close()
    return file


def _write(file: Path, data: bytes, *, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(data)
