"""The few exceptions of the product. What is wrong with a partner's data is never one of them (see `issues`)."""

import re
import traceback
from datetime import timedelta
from pathlib import PurePath

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


class FlatfileSyncError(Exception):
    """Something that stops one operation; the text names the cause and the remedy."""


class ConfigurationError(FlatfileSyncError):
    """A setting or project file is wrong; the text names file, key path, value and the values allowed."""


class Refused(FlatfileSyncError):  # noqa: N818 - reads as the sentence it is: the door says why
    """A client or an operator asked for something that is not to be had."""


class StaleEpochError(FlatfileSyncError):
    """A newer daemon owns the data: this worker may not commit, publish or send."""


class DamagedFileError(FlatfileSyncError):
    """A file of the work area is not the one that was committed: the disk lost or changed it."""


class LostTurnError(FlatfileSyncError):
    """A conditional update met another state than expected: somebody else moved the row first."""


class TemporaryFailure(FlatfileSyncError):  # noqa: N818 - named by the platform contract
    """A platform or a resource cannot answer now."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentFailure(FlatfileSyncError):  # noqa: N818 - named by the platform contract
    """A platform will never accept this; asking again is useless."""


def trail(error: BaseException) -> list[str]:
    """Return kind and places of an error and of its causes, innermost last, without a word of their texts.

    The text of an unexpected error may quote a partner's data (a database names the value that stood in the way, a
    parser the line it could not read), and a log is no place for that. Notes hold the frames of a worker process.
    """
    places = [(frame.filename, str(frame.lineno), frame.name) for frame in traceback.extract_tb(error.__traceback__)]
    for note in getattr(error, "__notes__", ()):
        places += _FRAME.findall(note)
    told = [type(error).__name__, *(f"{'/'.join(PurePath(file).parts[-2:])}:{no} {name}" for file, no, name in places)]
    cause = error.__cause__ or error.__context__
    return told if cause is None else [*trail(cause), *told]
