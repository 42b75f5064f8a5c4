"""Where the store's passes meet Apple's certificate: what the web service hands out."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from flatfile_sync.domain.failures import PermanentFailure
from flatfile_sync.domain.project import PassType, Project
from flatfile_sync.domain.states import Platform
from flatfile_sync.pipeline.kit import Projects
from flatfile_sync.pipeline.showing import showing
from flatfile_sync.store import memories, passes
from flatfile_sync.store.database import Connection, Priority, Store
from flatfile_sync.store.passes import PassRow
from flatfile_sync.wallets.apple.issuing import Issuer
from flatfile_sync.wallets.apple.tokens import KEY_ID, TokenKeys
from flatfile_sync.wallets.templates.showing import Showing

# Whether a project's files changed is looked at so often: each look asks the disk about all of them.
_LOOK_EVERY: Final = 2.0
_SIGNERS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """Passes as they are now: shown, and issued for Apple Wallet if there is an issuer."""

    store: Store
    projects: Projects
    issuer: Issuer | None = None
    monotonic: Callable[[], float] = time.monotonic
    _signers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_SIGNERS, "sign"))
    _seen: dict[str, tuple[float, Project]] = field(default_factory=dict)

    async def issue(self, row: PassRow) -> bytes:
        """Return the pkpass of a pass. Raises `PermanentFailure` if it has none, `ConfigurationError`."""
        if self.issuer is None:
            raise PermanentFailure("There is no certificate for Apple Wallet.")
        issuer, (project, pass_type) = self.issuer, await self._type(row)

        def look(conn: Connection) -> tuple[Showing, object]:
            return showing(conn, row, project), _memory(conn, row.no).get(KEY_ID)

        shown, key_id = await self.store.read(look)
        if not key_id:
            # The pass is made for the first time.
            key_id = await self.store.write(lambda conn: _choose(conn, row, issuer.tokens), priority=Priority.DOOR)
        making = partial(issuer.issue, pass_type, shown, key_id=str(key_id))
        # Not among the threads that keep a partner's uploads.
        return await asyncio.get_running_loop().run_in_executor(self._signers, making)

    async def show(self, row: PassRow) -> tuple[Project, PassType, Showing]:
        """Return a pass as its templates see it. Raises `PermanentFailure` if its type is gone."""
        project, pass_type = await self._type(row)
        return project, pass_type, await self.store.read(lambda conn: showing(conn, row, project))

    async def version(self, row: PassRow) -> str:
        """Return the version of a pass's project: with another, the same pass may look different."""
        return (await self.project(row.project)).version

    async def project(self, name: str) -> Project:
        """Return a project as its files said a moment ago."""
        known = self._seen.get(name)
        if known is None or self.monotonic() - known[0] > _LOOK_EVERY:
            known = self._seen[name] = (self.monotonic(), await asyncio.to_thread(self.projects.current, name))
        return known[1]

    async def _type(self, row: PassRow) -> tuple[Project, PassType]:
        project = await self.project(row.project)
        pass_type = project.pass_type(row.pass_type)
        if pass_type is None:
            raise PermanentFailure(f"The project {project.name!r} has no pass type {row.pass_type!r} any more.")
        return project, pass_type


def _choose(conn: Connection, row: PassRow, tokens: TokenKeys) -> str:
    # Locked, so that of two who make it at the same time the second finds what the first chose.
    passes.load_many(conn, [row.no], lock=True)
    memory = _memory(conn, row.no)
    key_id = str(memory.setdefault(KEY_ID, tokens.issue(row.id).key_id))
    memories.keep_many(conn, Platform.APPLE.value, {row.no: memory})
    return key_id


def _memory(conn: Connection, pass_no: int) -> dict[str, Any]:
    return memories.of_passes(conn, Platform.APPLE.value, [pass_no]).get(pass_no, {})
