"""Domain errors to exit codes: the one table of this door."""

import sys
import traceback
from enum import IntEnum
from typing import Final

from flatfile_sync.domain.failures import (
    ConfigurationError,
    LostTurnError,
    PermanentFailure,
    Refused,
    StaleEpochError,
    TemporaryFailure,
)


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    BAD = 1
    USAGE = 2
    CONFIGURATION = 3
    REFUSED = 4
    UNREACHABLE = 5
    INTERNAL = 70  # EX_SOFTWARE of sysexits.h


MEANINGS: Final = {
    ExitCode.OK: "done",
    ExitCode.BAD: "done, and what was asked about is not in order (rejected rows, a failed check)",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.CONFIGURATION: "the configuration or a project's files are wrong",
    ExitCode.REFUSED: "not found, or refused in the state it is in",
    ExitCode.UNREACHABLE: "a server, the database or a file cannot be reached",
    ExitCode.INTERNAL: "internal error (--debug shows where)",
}

# The first that fits counts: OSError stands for files and sockets that are not there or not ours.
_CODES: Final[tuple[tuple[type[Exception], ExitCode], ...]] = (
    (ConfigurationError, ExitCode.CONFIGURATION),
    (Refused, ExitCode.REFUSED),
    (PermanentFailure, ExitCode.REFUSED),
    (LostTurnError, ExitCode.REFUSED),
    (StaleEpochError, ExitCode.REFUSED),
    (TemporaryFailure, ExitCode.UNREACHABLE),
    (OSError, ExitCode.UNREACHABLE),
)


def epilogue() -> str:
    """Return the exit codes as a paragraph for `--help` that keeps its lines."""
    return "\b\nExit codes:\n" + "\n".join(f"  {code.value:>2}  {meaning}" for code, meaning in MEANINGS.items())


def explain(error: Exception, *, debug: bool) -> ExitCode:
    """Write what went wrong to standard error, once, and return the exit code."""
    if debug:
        traceback.print_exception(error)
    code = next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.INTERNAL)
    if code is ExitCode.INTERNAL:
        # The text of an unexpected error may quote a partner's data: only its kind is shown.
        text = f"internal error ({type(error).__name__}); run again with --debug before the command to see where."
    else:
        text = str(error)
    print(f"Error: {text}", file=sys.stderr)
    return code
