"""Classes and objects as JSON: what of ours differs from theirs, and what a PATCH must say. Pure.

Google: patch merges key by key, null deletes a key, and an array is replaced whole.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import orjson

from flatfile_sync.wallets.google.calls import Resource
from flatfile_sync.wallets.templates.shapes import Shape, Table

NOTIFY: Final = "notifyPreference"
NOTIFY_ON_UPDATE: Final = "NOTIFY_ON_UPDATE"
_NAMED: Final = ("id", "classId")
# What is linked once cannot be unlinked, and Google ignores those beyond the fiftieth.
LINKED: Final = "linkedObjectIds"
_MOST_LINKED: Final = 50
_REVIEW: Final = "reviewStatus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A class or an object as it should be; `notify`: its next change may be told to the holder.

    `kind` is the word of the API, `loyaltyObject`.
    """

    kind: str
    id: str
    resource: Resource = field(repr=False)
    notify: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What we remember of an object: the digest of what Google took last, its keys, and what its answer said.

    `digest` is empty, and `users` and `messages` are None, while it is not known. `run` is the process that saw it: one
    that was killed may have changed the object and not have lived to remember it.
    """

    digest: str = ""
    run: str = ""
    keys: tuple[str, ...] = ()
    users: bool | None = None
    messages: int | None = None

    @classmethod
    def read(cls, memory: Mapping[str, Any]) -> "Memory":
        """Return what was written by `written`; of anything else, nothing."""
        users, messages = memory.get("users"), memory.get("messages")
        return cls(
            digest=str(memory.get("digest", "")),
            run=str(memory.get("run", "")),
            keys=tuple(map(str, memory.get("keys", ()))),
            users=users if isinstance(users, bool) else None,
            messages=messages if isinstance(messages, int) else None,
        )

    def written(self) -> dict[str, Any]:
        """Return it as JSON."""
        found = asdict(self)
        return {key: value for key, value in found.items() if value is not None and value not in ("", ())}

    def unsure(self, thing: Thing) -> "Memory":
        """Return it without trust in what Google holds: this thing, or what was before."""
        return replace(self, digest="", keys=tuple(dict.fromkeys([*self.keys, *paths(thing.resource)])))


def remembered(thing: Thing, theirs: Mapping[str, Any], *, run: str = "") -> Memory:
    """Return what to remember of an object that Google holds as it should be."""
    return Memory(
        digest=digest(thing.resource),
        run=run,
        keys=tuple(paths(thing.resource)),
        # An answer may leave out what is false, so that only a word of Google's is one.
        users=theirs["hasUsers"] if isinstance(theirs.get("hasUsers"), bool) else None,
        messages=len(theirs.get("messages") or ()),
    )


def digest(resource: Mapping[str, Any]) -> str:
    """Return what is the same as long as a resource says the same."""
    return hashlib.sha256(orjson.dumps(resource, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def paths(resource: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield `loyaltyPoints.balance.int` for every value that a PATCH could delete on its own, but for the ids."""
    for key, value in resource.items():
        if not prefix and key in _NAMED:
            continue
        if isinstance(value, Mapping) and value:
            yield from paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def known_paths(theirs: Mapping[str, Any], table: Shape | None, prefix: str = "") -> Iterator[str]:
    """Yield the paths of a resource at Google that a template could have written; what says nothing is left out."""
    for key, value in theirs.items():
        inner = table.keys.get(key) if isinstance(table, Table) else None
        if inner is None or value in (None, False, "", [], {}) or str(value).endswith("_UNSPECIFIED"):
            continue
        if isinstance(value, Mapping):
            yield from known_paths(value, inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def changes(ours: Mapping[str, Any], owned: Iterable[str]) -> Resource:
    """Return a PATCH that says all of ours and deletes those of the owned paths that it does not have any more."""
    found = {key: value for key, value in ours.items() if key not in _NAMED}
    return _with_nulls(found, _gone(ours, owned))


def difference(ours: Mapping[str, Any], theirs: Mapping[str, Any], owned: Iterable[str]) -> Resource:
    """Return the PATCH that makes theirs say what ours says; empty if it does already."""
    found = _differing({key: value for key, value in ours.items() if key not in _NAMED}, theirs)
    gone = [path for path in _gone(ours, owned) if _has(theirs, path)]
    patch = _with_nulls(found, gone)
    if patch and _REVIEW in ours:
        # Google: keep sending it with every update of a class.
        patch[_REVIEW] = ours[_REVIEW]
    return patch


def _differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Resource:
    found: Resource = {}
    for key, value in ours.items():
        other = theirs.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            inner = _differing(value, other)
            if inner:
                found[key] = inner
        elif not _same(key, value, other):
            found[key] = value
    return found


def _same(key: str, value: Any, other: Any) -> bool:
    if key == _REVIEW:
        # The platform turns it into APPROVED at once.
        return other is not None
    if key == LINKED:
        return set(value[:_MOST_LINKED]) <= set(other or ())
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(_same("", *pair) for pair in zip(value, other, strict=True))
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return not _differing(value, other)
    return bool(value == other)


def _gone(ours: Mapping[str, Any], owned: Iterable[str]) -> list[str]:
    """Return the shortest paths that delete what is owned and not in ours."""
    found: dict[str, None] = {}
    for path in owned:
        keys = path.split(".")
        here: Any = ours
        for depth, key in enumerate(keys, 1):
            if not isinstance(here, Mapping):
                break  # another kind of value stands there now, and replaces it
            if key not in here:
                found[".".join(keys[:depth])] = None
                break
            here = here[key]
    return [path for path in found if path != LINKED]


def _has(theirs: Mapping[str, Any], path: str) -> bool:
    here: Any = theirs
    for key in path.split("."):
        if not isinstance(here, Mapping) or here.get(key) is None:
            return False
        here = here[key]
    return True


def _with_nulls(patch: Resource, gone: Iterable[str]) -> Resource:
    found = dict(patch)
    for path in gone:
        key, _, rest = path.partition(".")
        found[key] = _with_nulls(found.get(key) or {}, [rest]) if rest else None
    return found
