"""What commands on a data folder lean on: settings, store and spool, opened beside a daemon that may be running."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from flatfile_sync.domain.failures import ConfigurationError, Refused

if TYPE_CHECKING:
    from flatfile_sync.config.settings import Settings
    from flatfile_sync.domain.project import Project
    from flatfile_sync.spool.local import Spool
    from flatfile_sync.store.database import Store

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option(metavar="N", min=1, help="At most so many, the newest.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An opened data folder."""

    settings: "Settings"
    store: "Store"

    @property
    def spool(self) -> "Spool":
        """The spool of the data folder."""
        from flatfile_sync.spool.local import Spool

        return Spool(self.settings.data_folder / "spool")

    def project(self, name: str | None, *, keep_image: Callable[[bytes], object] = lambda _: None) -> "Project":
        """Return a project by its name, or the only one there is; `Refused` if none or several are there."""
        from flatfile_sync.daemon.projects import open_projects

        folder = open_projects(self.settings.projects_folder, keep_image=keep_image)
        if name is not None:
            return folder.current(name)
        names = folder.names()
        if len(names) != 1:
            found = f"has {', '.join(names)}" if names else "has no project"
            raise Refused(f"{self.settings.projects_folder} {found}; say which one with --project.")
        return folder.current(names[0])


def settings(ctx: typer.Context) -> "Settings":
    """Return the settings of the file that `--config` names."""
    from flatfile_sync.config.settings import load_settings

    return load_settings(ctx.obj)


@contextmanager
def opened(ctx: typer.Context) -> Iterator[Place]:
    """Open the data folder of the configuration. The epoch stays the daemon's: this is a guest."""
    from flatfile_sync.store.existing import open_existing

    found = settings(ctx)
    if not found.data_folder.is_dir():
        raise ConfigurationError(f"{found.data_folder}: there is no data folder yet; `flatfile-sync init` makes it.")
    store = open_existing(found.database)
    try:
        yield Place(settings=found, store=store)
    finally:
        store.close()
