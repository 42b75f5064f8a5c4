"""The few exceptions of the product. What is wrong with a partner's data is never one of them (see `issues`)."""

from datetime import timedelta


class FlatfileSyncError(Exception):
    """Something that stops one operation; the text names the cause and the remedy."""


class ConfigurationError(FlatfileSyncError):
    """A setting or project file is wrong; the text names file, key path, value and the values allowed."""


class Refused(FlatfileSyncError):  # noqa: N818 - reads as the sentence it is: the door says why
    """A client or an operator asked for something that is not to be had."""


class StaleEpochError(FlatfileSyncError):
    """A newer daemon owns the data: this worker may not commit, publish or send."""


class LostTurnError(FlatfileSyncError):
    """A conditional update met another state than expected: somebody else moved the row first."""


class TemporaryFailure(FlatfileSyncError):  # noqa: N818 - named by the platform contract
    """A platform or a resource cannot answer now."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentFailure(FlatfileSyncError):  # noqa: N818 - named by the platform contract
    """A platform will never accept this; asking again is useless."""
