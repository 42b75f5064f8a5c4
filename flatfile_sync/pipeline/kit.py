"""What the verbs lean on, wired once by the daemon (or by a test)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from flatfile_sync.domain.backoff import Backoff
from flatfile_sync.domain.clock import Clock, utc_now
from flatfile_sync.domain.engine import Compute, Engine
from flatfile_sync.domain.project import Project
from flatfile_sync.domain.states import Platform
from flatfile_sync.domain.tally import Tally
from flatfile_sync.pipeline.linking import Linker
from flatfile_sync.spool.local import Spool
from flatfile_sync.store.database import Store
from flatfile_sync.wallets.platform import WalletPlatform


class Projects(Protocol):
    """The project definitions this daemon serves."""

    def current(self, name: str) -> Project:
        """Return the project as its files say now; `ConfigurationError` if there is none of that name."""
        ...

    def dump(self, project: Project) -> bytes:
        """Return the canonical document of a project, from which `load` makes an equal one."""
        ...

    def load(self, document: bytes) -> Project:
        """Return the project of a canonical document (a version pinned earlier)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """Store, spool, processes, projects, platforms, engine, clock and counts of one running daemon.

    `linker` makes the add-to-wallet links of result sets and exports; without a door that they lead to it is None.
    """

    store: Store
    spool: Spool
    compute: Compute
    projects: Projects
    platforms: Mapping[Platform, WalletPlatform]
    engine: Engine
    clock: Clock = utc_now
    steps: Backoff = field(default_factory=Backoff)
    sends: Backoff = field(default_factory=Backoff)
    chunk_records: int = 10_000
    tally: Tally = field(default_factory=Tally)
    linker: Linker | None = None
