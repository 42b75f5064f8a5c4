"""Google's classes, brought up to date at the start and when a template has changed."""

import asyncio
from typing import Final

import structlog

from flatfile_sync.config.projects import ProjectFolder
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.wallets.google.platform import Google, Typed

_EVENT: Final = "google_class_not_provided"

_log = structlog.get_logger()


async def provide(platform: Google, *, projects: ProjectFolder) -> int:
    """Provide the class of every pass type and return how many could not be; a delivery of its type tries again."""
    failed = await platform.provide_classes(await asyncio.to_thread(_types, projects))
    for class_id, reason in failed.items():
        _log.warning(_EVENT, class_id=class_id, reason=reason)
    return len(failed)


def _types(projects: ProjectFolder) -> list[Typed]:
    found: list[Typed] = []
    for name in projects.names():
        try:
            project = projects.current(name)
        except ConfigurationError:
            continue  # `doctor` and the next drop say what is wrong with it
        found += [(project.name, pass_type) for pass_type in project.pass_types]
    return found
