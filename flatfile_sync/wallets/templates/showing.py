"""A pass as its templates see it, and the names they may use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flatfile_sync.domain.merge import Document
from flatfile_sync.domain.project import DataModel
from flatfile_sync.domain.states import PassStatus

PASS_NAMES: Final = ("pass.id", "pass.type", "pass.status", "pass.revision", "pass.expires_at")
MESSAGE_NAMES: Final = ("message.text", "message.number")
IDENTIFIER: Final = "identifiers."
CARRIED: Final = "message.mark"
"""Nothing that is seen, but another nothing for each second message: a device tells only of a value that changed."""
_MARK: Final = "\u200b"


@dataclass(frozen=True, slots=True)
class Message:
    """The last message to the holder: its text per language ("" = of no language), and which one it is, from 1 on."""

    texts: Mapping[str, str]
    number: int = 1

    def text(self, language: str, fallback: str) -> str:
        """Return the text in a language, else in the fallback language, else any."""
        texts = self.texts
        return texts.get(language) or texts.get(fallback) or texts.get("") or next(iter(texts.values()), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What a template shows of a pass: see `names`."""

    pass_id: str
    pass_type: str
    status: PassStatus
    revision: int
    expires_at: str | None
    identifiers: Mapping[str, str]
    document: Document
    message: Message | None = None
    marketing: bool = False
    """Whether the holder agreed to marketing: without, nothing of the pass that notifies for that purpose is in it."""

    def names(self, language: str, fallback: str) -> dict[str, Any]:
        """Return the flat names that Liquid finds; what a pass does not have is not there and shows as nothing."""
        found: dict[str, Any] = {
            **self.document,
            "pass.id": self.pass_id,
            "pass.type": self.pass_type,
            "pass.status": self.status.value,
            "pass.revision": self.revision,
            "pass.expires_at": self.expires_at,
        }
        for kind, value in self.identifiers.items():
            found[f"{IDENTIFIER}{kind}"] = value
        if self.message is not None:
            found["message.text"] = self.message.text(language, fallback)
            found["message.number"] = self.message.number
            found[CARRIED] = _MARK * (self.message.number % 2)
        return found


def known_names(model: DataModel) -> list[str]:
    """Return every name that a template of a project may use."""
    fields = [field.target for field in model.fields]
    return [*fields, *(f"{IDENTIFIER}{kind.name}" for kind in model.identifiers), *PASS_NAMES, *MESSAGE_NAMES]


def document_key(name: str) -> str | None:
    """Return what must change so that a name shows something else, None if only a message changes it.

    A document key, `id.<kind>`, `status`, `expires_at`; "*" for every change.
    """
    if name.startswith(IDENTIFIER):
        return f"id.{name.removeprefix(IDENTIFIER)}"
    if name in MESSAGE_NAMES or name in {"pass.id", "pass.type"}:
        return None
    if name == "pass.revision":
        return "*"
    return name.removeprefix("pass.") if name in PASS_NAMES else name
