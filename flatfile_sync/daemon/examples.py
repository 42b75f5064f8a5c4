"""The example projects and sample files: beside the package in a checkout, inside it once installed."""

from pathlib import Path
from typing import Final

from flatfile_sync.domain.failures import ConfigurationError

_PACKAGE: Final = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """Return the folder `schemas` or `sample_files`."""
    for root in (_PACKAGE.parent, _PACKAGE / "examples"):
        found = root / name
        if found.is_dir():
            return found
    raise ConfigurationError(f"{_PACKAGE}: the folder {name!r} is neither beside nor inside it; install it again.")
