"""What flows from step to step before a drop is planned.

A restart before PLANNED begins again at read, so these values are never stored; the files they name live in the
drop's work folder. `record` numbers start at 1 with the first record after the header.
"""

from dataclasses import dataclass

from flatfile_sync.domain.columns import Column
from flatfile_sync.domain.issues import Issue, Severity
from flatfile_sync.files.dialect import Dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A run of records in one Arrow file of the work folder: `first` is the number of its first record."""

    no: int
    file: str
    first: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A file as columns of text. `issues` concern the whole file; `header_bytes` includes a BOM and the line end.

    `columns` are in the order of the header; empty if no header could be read. `dialect` is None if none was found:
    then every physical line after the first counts as a record, so that each still gets its result.
    """

    columns: tuple[Column, ...]
    header_bytes: bytes
    dialect: Dialect | None
    records: int
    slices: tuple[Slice, ...]
    issues: tuple[Issue, ...]

    @property
    def refused(self) -> bool:
        """Whether something is wrong with the file as a whole."""
        return any(issue.severity is Severity.ERROR for issue in self.issues)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A file whose cells are canonical values or issues. `failed` counts the records with an error of their own."""

    reading: Reading
    slices: tuple[Slice, ...]
    issues: tuple[Issue, ...]
    failed: int

    @property
    def refused(self) -> bool:
        """Whether the file as a whole is refused, by its reading or by its header."""
        return any(issue.severity is Severity.ERROR for issue in self.issues)
