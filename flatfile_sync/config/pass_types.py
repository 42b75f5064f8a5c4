"""The folders of pass types, read whole; what their templates mean, the caller's `ReadPassType` knows."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flatfile_sync.config.descriptor import PassTypeFile
from flatfile_sync.config.reading import read
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.project import DataModel, PassType
from flatfile_sync.domain.templates import PassTypeFolder, ReadPassType, Remark

DECLARATION: Final = "pass_type.toml"

Say = Callable[[str], None]
KeepImage = Callable[[bytes], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTypeReader:
    """Reads pass types. `say` is told what is doubtful, `keep_image` gets each image, for versions that outlive it."""

    understand: ReadPassType
    say: Say = lambda _: None
    keep_image: KeepImage = lambda _: None

    def read_all(
        self, project: Path, *, model: DataModel, url_hosts: tuple[str, ...], timezone: str
    ) -> tuple[PassType, ...]:
        """Return the pass types of a project. Raises `ConfigurationError` with all that is wrong with any of them."""
        found, problems, folders = [], [], []
        for path in sorted((project / "pass_types").glob("*/")):
            try:
                folder = _folder(path)
            except ConfigurationError as error:
                problems += str(error).splitlines()
                continue
            pass_type, remarks = self.understand(folder, model=model, url_hosts=url_hosts, timezone=timezone)
            found.append(pass_type)
            folders.append(folder)
            for remark in remarks:
                (self.say if remark.warning else problems.append)(_sentence(path, remark))
        if problems:
            raise ConfigurationError("\n".join(problems))
        for pass_type, folder in zip(found, folders, strict=True):
            wanted = {sha256 for _, sha256 in pass_type.files}
            for data in folder.files.values():
                if hashlib.sha256(data).hexdigest() in wanted:
                    self.keep_image(data)
        return tuple(found)


def _folder(path: Path) -> PassTypeFolder:
    file = path / DECLARATION
    told = read(file, PassTypeFile) if file.exists() else PassTypeFile()
    return PassTypeFolder(
        name=path.name,
        files=dict(_files(path)),
        google_type=told.google_type,
        carrier=told.carrier,
        purposes=told.purposes,
        required_identifiers=tuple(told.required_identifiers),
        languages=tuple(told.languages),
        fallback_language=told.fallback_language,
        images=told.images,
    )


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder by their path below it; hidden ones are what file managers leave behind."""
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in path.parts):
            yield path.as_posix(), file.read_bytes()


def _sentence(folder: Path, remark: Remark) -> str:
    place = f"{folder / remark.file}: " + (f"{remark.path}: " if remark.path else "")
    return f"{place}{remark.text}"
