"""What a change of a pass owes on each platform: nothing where nobody holds it, or where nothing of it is shown."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from flatfile_sync.domain.project import PassType
from flatfile_sync.domain.states import Owed
from flatfile_sync.store.passes import PassRow

_EVERY: Final = "*"


class Offer(NamedTuple):
    """The changes (as in `_changed` of a result) of a pass type that each platform shows; None = it is not there."""

    apple: frozenset[str] | None = None
    google: frozenset[str] | None = None


Platforms = Mapping[str, Offer]
"""Pass type -> what its platforms show."""
NOWHERE: Final = Offer()


def offer(pass_type: PassType) -> Offer:
    """Return what the platforms of a pass type show; a platform that is not told of shows every change."""
    known = dict(pass_type.shown)
    shown = {name: frozenset(map(_change, known.get(name, (_EVERY,)))) for name in pass_type.platforms}
    return Offer(**shown)


def reaches(row: PassRow, platforms: Platforms) -> bool:
    """Return whether somebody holds the pass on a platform that it is there for."""
    found = platforms.get(row.pass_type, NOWHERE)
    return (found.apple is not None and row.apple > 0) or (found.google is not None and row.google > 0)


@lru_cache(maxsize=4096)  # the records of a file change few different sets of keys
def owed_words(apple: int, google: int, changed: tuple[str, ...], shown: Offer) -> tuple[Owed, Owed]:
    """Return what changes of a pass owe on Apple and on Google, each with the number of devices that hold it."""
    return _word(apple, changed, shown.apple), _word(google, changed, shown.google)


def _word(installed: int, changed: tuple[str, ...], shown: frozenset[str] | None) -> Owed:
    if shown is None:
        return Owed.NONE
    if not installed:
        return Owed.NOT_INSTALLED
    return Owed.QUEUED if _EVERY in shown or not shown.isdisjoint(changed) else Owed.NOT_SHOWN


def _change(name: str) -> str:
    """Return a key of `PassType.shown` as `_changed` names it: `id.memberId` changes by `set.id.memberId`."""
    return f"set.{name}" if name.startswith("id.") else name
