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
    shown = shown_names(columns, project, feed)
    issues: list[Issue] = []
    seen: set[str] = set()
    for position, found in enumerate(columns, start=1):
        problem = _problem(found, position, shown[position - 1], seen, project, feed)
        seen.add(found.name)
        if problem is not None:
            issues.append(problem)
    if not any(found.role in _NAMING for found in columns):
        kinds = ", ".join(["`id`", *(f"`id.{kind.name}`" for kind in project.model.identifiers)])
        issues.append(issue("H04", identifiers=kinds))
    issues += [issue("H05", column=name, feed=feed.name) for name in feed.required if name not in seen]
    return columns, issues


def shown_names(columns: Sequence[Column], project: Project, feed: Feed) -> list[str]:
    """Return the columns' names as they may stand in messages.

    If nothing in the line is like a column we know, it is hardly a header but somebody's data: then places are shown.
    """
    known = any(found.role not in {Role.UNKNOWN, Role.IGNORED} for found in columns)
    if known or any(_likely(found.name, project, feed) for found in columns):
        return [found.name for found in columns]
    return [f"#{place}" for place, _ in enumerate(columns, start=1)]


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


def _problem(  # noqa: PLR0917 - one column's particulars, then what they are judged by
    found: Column, position: int, shown: str, seen: set[str], project: Project, feed: Feed
) -> Issue | None:
    if not found.name:
        return issue("H06", position=position)
    if found.name in seen:
        return issue("H03", column=shown)
    if found.role is Role.UNKNOWN:
        return issue("H01", column=shown, feed=feed.name, suggestion=_suggestion(found.name, project, feed))
    if found.role in _GUARDED and not _may_write(found, feed):
        return issue("H02", column=found.name, feed=feed.name)
    if found.role is Role.OPERATION and not feed.may_write(found.name) and not feed.allowed_operations:
        return issue("H02", column=found.name, feed=feed.name)
    return None


def _may_write(found: Column, feed: Feed) -> bool:
    messages = found.role in {Role.MESSAGE, Role.NOTIFICATION}
    return feed.may_write(found.name) or (messages and (feed.operation is Operation.NOTIFY or found.name == _ALIAS))


def _suggestion(name: str, project: Project, feed: Feed) -> str:
    likely = _likely(name, project, feed)
    if likely:
        return f"Did you mean `{likely}`? Names are matched exactly, upper and lower case included."
    known = ", ".join(f"`{one}`" for one in _known(project, feed))
    return f"Remove the column, start its name with `_`, or use one of {known}."


def _known(project: Project, feed: Feed) -> list[str]:
    return [
        *("id", "passType"),
        *(f"id.{kind.name}" for kind in project.model.identifiers),
        *(field.name for field in project.model.fields if feed.may_write(field.name)),
    ]


def _likely(name: str, project: Project, feed: Feed) -> str | None:
    """Return the likely column: the same but for case and spaces, or about one edit away."""
    folded = {_fold(candidate): candidate for candidate in _known(project, feed)}
    near = difflib.get_close_matches(_fold(name), folded, 1, _CLOSE)
    return folded.get(_fold(name)) or (folded[near[0]] if near else None)


def _fold(name: str) -> str:
    return "".join(name.split()).casefold()
