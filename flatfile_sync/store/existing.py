"""Opening a database beside the daemon: never making one, never changing its schema."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from flatfile_sync.domain.failures import ConfigurationError, TemporaryFailure
from flatfile_sync.store import migrate
from flatfile_sync.store.database import Store


def open_existing(url: str) -> Store:
    """Return the store of a database that is there and at our revision.

    Raises `ConfigurationError` if it is not made yet or of another revision, `TemporaryFailure` if it does not answer.
    """
    place = make_url(url)
    file = Path(place.database or "") if place.get_backend_name() == "sqlite" else None
    if file is not None and not file.is_file():
        raise ConfigurationError(f"{file}: there is no database yet; `flatfile-sync init` makes it.")
    store = Store(url)
    try:
        found = store.read_now(migrate.current_revision)
    except sa.exc.DBAPIError as error:
        store.close()
        raise TemporaryFailure(f"The database {place.render_as_string()} does not answer: {error.orig}") from error
    if found != migrate.HEAD:
        store.close()
        stands = "has no tables" if found is None else f"stands at revision {found}"
        raise ConfigurationError(
            f"The database {place.render_as_string()} {stands}; this version speaks {migrate.HEAD}. "
            "`flatfile-sync serve` of the newer version upgrades it."
        )
    return store
