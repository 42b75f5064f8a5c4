"""What a header's names mean to a feed, and what is wrong with them: pure."""

import difflib
from collections.abc import Sequence

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.columns import Column, Role, column
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.project import Feed, Project
from flatfile_sync.domain.states import Operation

_ALIAS = "additionalData.notification_content"
_NAMING = frozenset({Role.PASS_ID, Role.IDENTIFIER})
# Writing these is off unless the feed names them (file contract, section 2).
_GUARDED = frozenset(
    {Role.DATA, Role.SET_IDENTIFIER, Role.MESSAGE, Role.NOTIFICATION, Role.CONSENT, Role.STATUS, Role.EXPIRES_AT}
)
_CLOSE = 0.84  # one edit in a name of seven letters


def check_header(names: Sequence[str], project: Project, feed: Feed) -> tuple[tuple[Column, ...], list[Issue]]:
    """Return one column per name and the issues of the header, in the order of the columns."""
    columns = tuple(_column(name, project, feed) for name in names)
    issues: list[Issue] = []
    seen: set[str] = set()
    for position, found in enumerate(columns, start=1):
        problem = _problem(found, position, seen, project, feed)
        seen.add(found.name)
        if problem is not None:
            issues.append(problem)
    if not any(found.role in _NAMING for found in columns):
        kinds = ", ".join(["`id`", *(f"`id.{kind.name}`" for kind in project.model.identifiers)])
        issues.append(issue("H04", identifiers=kinds))
    issues += [issue("H05", column=name, feed=feed.name) for name in feed.required if name not in seen]
    return columns, issues


def _column(name: str, project: Project, feed: Feed) -> Column:
    if name in feed.ignored:
        return Column(name, Role.IGNORED)
    found = column(name)
    if feed.notification_alias and name == _ALIAS:
        return Column(name, Role.MESSAGE)
    known = {
        Role.DATA: lambda: project.model.field(name) is not None,
        Role.IDENTIFIER: lambda: project.model.identifier(found.part) is not None,
        Role.SET_IDENTIFIER: lambda: project.model.identifier(found.part) is not None,
    }.get(found.role, lambda: True)()
    if found.role is Role.UNKNOWN or not known:
        return Column(name, Role.IGNORED if name == feed.echo else Role.UNKNOWN)
    return found


def _problem(found: Column, position: int, seen: set[str], project: Project, feed: Feed) -> Issue | None:
    if not found.name:
        return issue("H06", position=position)
    if found.name in seen:
        return issue("H03", column=found.name)
    if found.role is Role.UNKNOWN:
        return issue("H01", column=found.name, feed=feed.name, suggestion=_suggestion(found.name, project, feed))
    if found.role in _GUARDED and not _may_write(found, feed):
        return issue("H02", column=found.name, feed=feed.name)
    if found.role is Role.OPERATION and not feed.may_write(found.name) and not feed.allowed_operations:
        return issue("H02", column=found.name, feed=feed.name)
    return None


def _may_write(found: Column, feed: Feed) -> bool:
    messages = found.role in {Role.MESSAGE, Role.NOTIFICATION}
    return feed.may_write(found.name) or (messages and (feed.operation is Operation.NOTIFY or found.name == _ALIAS))


def _suggestion(name: str, project: Project, feed: Feed) -> str:
    """Return the likely column: the same but for case and spaces, or about one edit away."""
    known = ["id", "passType"]
    known += [f"id.{kind.name}" for kind in project.model.identifiers]
    known += [field.name for field in project.model.fields if feed.may_write(field.name)]
    folded = {_fold(candidate): candidate for candidate in known}
    same = folded.get(_fold(name))
    close = [same] if same else [folded[near] for near in difflib.get_close_matches(_fold(name), folded, 1, _CLOSE)]
    if close:
        return f"Did you mean `{close[0]}`? Names are matched exactly, upper and lower case included."
    return f"Remove the column, start its name with `_`, or use one of {', '.join(f'`{one}`' for one in known)}."


def _fold(name: str) -> str:
    return "".join(name.split()).casefold()
