"""What stands between the folder of a pass type, which `config` reads, and its templates, which `wallets` knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from flatfile_sync.domain.project import DataModel, PassType
from flatfile_sync.domain.states import Purpose


class Remark(NamedTuple):
    """Something about a file of a pass type: `path` is the key path inside it ("" = the file as a whole)."""

    file: str
    path: str
    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTypeFolder:
    """The folder of a pass type as it was read: its files by path, and what its `pass_type.toml` declares.

    `images` are the names of images in an Apple pass, each with the Liquid that names the file it is taken from.
    """

    name: str
    files: Mapping[str, bytes]
    google_type: str = ""
    carrier: str = ""
    purposes: Mapping[str, Purpose] = field(default_factory=dict)
    required_identifiers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    fallback_language: str = "en"
    images: Mapping[str, str] = field(default_factory=dict)


class ReadPassType(Protocol):
    """Makes a pass type of a folder and says everything that is wrong with it or doubtful."""

    def __call__(
        self, folder: PassTypeFolder, *, model: DataModel, url_hosts: tuple[str, ...], timezone: str
    ) -> tuple[PassType, list[Remark]]:
        """Return the pass type, which counts only if no remark is an error, and the remarks in the files' order."""
        ...
