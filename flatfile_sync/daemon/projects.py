"""Projects with their templates: `config` reads the files, `wallets` knows what they mean, and here they meet."""

from pathlib import Path

from flatfile_sync.config.pass_types import KeepImage, PassTypeReader, Say
from flatfile_sync.config.projects import ProjectFolder, load_project
from flatfile_sync.domain.project import Project
from flatfile_sync.wallets.templates.reading import read_pass_type

READER = PassTypeReader(understand=read_pass_type)


def open_projects(root: Path, *, keep_image: KeepImage = lambda _: None) -> ProjectFolder:
    """Return the projects below a folder; each image of a sound one is handed over."""
    return ProjectFolder(root, PassTypeReader(understand=read_pass_type, keep_image=keep_image))


def read_project(folder: Path, *, say: Say = lambda _: None) -> Project:
    """Return the project of a folder; what is doubtful is said. Raises `ConfigurationError`."""
    return load_project(folder, PassTypeReader(understand=read_pass_type, say=say))
