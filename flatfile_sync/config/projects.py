"""Project folders to frozen projects: loaded, cross-checked, content-addressed."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import TypeAdapter

from flatfile_sync.config.consistency import BOUNDS, model_problems, project_problems
from flatfile_sync.config.descriptor import (
    DataModelFile,
    FeedFile,
    FieldFile,
    GuardsFile,
    NotificationsFile,
    ProjectFile,
)
from flatfile_sync.config.pass_types import PassTypeReader
from flatfile_sync.config.problems import raise_problems
from flatfile_sync.config.reading import read
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.layers import LayerLimits
from flatfile_sync.domain.project import (
    Cardinality,
    Constraints,
    DataModel,
    Exports,
    Feed,
    FeedOrder,
    Field,
    GuardAction,
    Guards,
    IdentifierKind,
    Notifications,
    OnError,
    Project,
    Retention,
)
from flatfile_sync.domain.spelling import did_you_mean
from flatfile_sync.domain.windows import Cap, Hours, Hush

_PROJECT: Final = TypeAdapter(Project)
_LIMITS: Final = (
    *("max_reject_count", "max_reject_percent", "first_records"),
    *("max_notifications", "max_notification_percent"),
)
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class ProjectFolder:
    """The projects below one folder; `current` reads the files again each time their bytes changed."""

    def __init__(self, root: Path, reader: PassTypeReader) -> None:
        self._root, self._reader = root, reader
        self._good: dict[str, Project] = {}
        self._stamps: dict[str, str] = {}
        self._broken: dict[str, str] = {}

    def names(self) -> list[str]:
        """Return the names of the folders that hold a `project.toml`, sorted."""
        return sorted(path.parent.name for path in self._root.glob("*/project.toml"))

    def current(self, name: str) -> Project:
        """Return a project as its files say; if they are broken, as they were when they last were sound.

        Raises `ConfigurationError` if they never were.
        """
        folder = self._root / name
        if not (folder / "project.toml").is_file():
            raise ConfigurationError(f"{folder}: there is no project {name!r}.{did_you_mean(name, self.names())}")
        stamp = _stamp(folder)
        if self._stamps.get(name) != stamp:
            self._stamps[name] = stamp
            try:
                self._good[name] = load_project(folder, self._reader)
                self._broken.pop(name, None)
            except ConfigurationError as error:
                self._broken[name] = str(error)
        if name not in self._good:
            raise ConfigurationError(self._broken[name])
        return self._good[name]

    def broken(self, name: str) -> str | None:
        """Return why the files of a project are not used at present, or None."""
        return self._broken.get(name)

    def dump(self, project: Project) -> bytes:
        """Return the canonical document of a project."""
        return dump(project)

    def load(self, document: bytes) -> Project:
        """Return the project of a canonical document."""
        return _PROJECT.validate_json(document)


def dump(project: Project) -> bytes:
    """Return a project as canonical JSON: sorted keys, so that equal projects have equal bytes."""
    return orjson.dumps(orjson.loads(_PROJECT.dump_json(project)), option=orjson.OPT_SORT_KEYS)


def load_project(folder: Path, reader: PassTypeReader) -> Project:
    """Return the project of a folder.

    Raises `ConfigurationError` that lists all problems of the first bad file; the pass types count as one.
    """
    settings = read(folder / "project.toml", ProjectFile)
    model = read(folder / "data_model.json", DataModelFile)
    raise_problems(folder / "data_model.json", model_problems(model))
    names = [path.name for path in sorted((folder / "pass_types").glob("*/"))]
    raise_problems(folder / "project.toml", project_problems(settings, model, names, folder))
    understood, hosts = _model(model), tuple(settings.url_hosts)
    project = Project(
        name=settings.name,
        title=settings.title,
        timezone=settings.timezone,
        model=understood,
        pass_types=reader.read_all(folder, model=understood, url_hosts=hosts, timezone=settings.timezone),
        feeds=tuple(_feed(feed, model) for feed in settings.feeds),
        retention=Retention(**dict(settings.retention)),
        exports=Exports(**dict(settings.exports)),
        url_hosts=hosts,
    )
    return replace(project, version=hashlib.sha256(dump(project)).hexdigest())


def _model(model: DataModelFile) -> DataModel:
    return DataModel(
        fields=tuple(_field(field) for field in model.fields),
        identifiers=tuple(
            IdentifierKind(
                name=kind.name,
                cardinality=Cardinality(kind.cardinality),
                person=kind.person,
                pii=kind.pii or kind.person,
                pattern=kind.pattern,
            )
            for kind in model.identifiers
        ),
        missing_values=tuple(model.missing_values),
    )


def _field(field: FieldFile) -> Field:
    limits = field.constraints.model_dump(exclude={"enum", *BOUNDS})
    bounds: dict[str, Any] = {name: _bound(field, getattr(field.constraints, name)) for name in BOUNDS}
    allowed = field.constraints.enum
    return Field(
        **field.model_dump(exclude={"constraints", "description", "target", "on_error", "true_values", "false_values"}),
        target=field.target or field.name,
        on_error=OnError(field.on_error),
        true_values=tuple(field.true_values),
        false_values=tuple(field.false_values),
        constraints=Constraints(
            **limits, **bounds, enum=None if allowed is None else tuple(str(value) for value in allowed)
        ),
    )


def _bound(field: FieldFile, value: float | str | None) -> int | Decimal | str | None:
    if value is None or field.type not in {"integer", "year", "number"}:
        return None if value is None else str(value)
    return Decimal(str(value)) if field.type == "number" else int(value)


def _feed(feed: FeedFile, model: DataModelFile) -> Feed:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in dict(feed).items()
        if name not in {"guards", "layers", "stale", "notifications"}
    }
    return Feed(
        **values,
        guards=_guards(feed.guards),
        layers=LayerLimits(**dict(feed.layers)),
        stale=FeedOrder(feed.stale),
        notifications=read_notifications(
            feed.notifications, {field.name: field.target or field.name for field in model.fields}
        ),
    )


def read_notifications(told: NotificationsFile, targets: Mapping[str, str]) -> Notifications:
    """Return how a feed's messages go out; `targets` are the document keys by field."""
    return Notifications(
        hours=Hush(
            window=Hours(*told.window) if told.window else None,
            quiet=Hours(*told.quiet) if told.quiet else None,
            days=tuple(place for place, name in enumerate(_WEEKDAYS) if name in told.days),
        ),
        timezone=targets[told.timezone] if told.timezone else None,
        cap=Cap(messages=told.cap.messages, within=told.cap.within) if told.cap else None,
        transactional=told.transactional,
        repeat=told.repeat,
    )


def _guards(guards: GuardsFile) -> Guards:
    limits = {name: None if getattr(guards, name) is False else getattr(guards, name) for name in _LIMITS}
    return Guards(**limits, percent_from=guards.percent_from, action=GuardAction(guards.action))


def _stamp(folder: Path) -> str:
    """Return something that changes when a file of the folder does: names, sizes and times, not the bytes."""
    entries = sorted((str(file), *_size_and_time(file)) for file in folder.rglob("*") if file.is_file())
    return hashlib.sha256(repr(entries).encode()).hexdigest()


def _size_and_time(file: Path) -> tuple[int, int]:
    stats = file.stat()
    return stats.st_size, stats.st_mtime_ns
