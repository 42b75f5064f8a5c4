"""A call of the API and its answer, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

NO_ANSWER: Final = "no_answer"
"""The call was sent, and whether it was done is not known."""
NOT_SENT: Final = "not_sent"
"""The call never left."""
STOPPED: Final = "stopped"
"""The call was not sent, since the account was refused."""

Body = Mapping[str, Any]
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A request; `path` is below `/walletobjects/v1/`, percent-encoded."""

    method: str
    path: str
    body: Body | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with its body; `reason` is `errors[0].reason`. Without a status there is none, and `reason` says why."""

    status: int | None
    body: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.status, self.reason) if part)


def get(kind: str, resource_id: str) -> Call:
    """Return the call that reads a resource; `kind` is like `loyaltyObject`."""
    return Call("GET", _path(kind, resource_id))


def insert(kind: str, resource: Body) -> Call:
    """Return the call that makes a resource."""
    return Call("POST", kind, resource)


def patch(kind: str, resource_id: str, changes: Body) -> Call:
    """Return the call that merges changes: null deletes a key, an array is replaced whole."""
    return Call("PATCH", _path(kind, resource_id), changes)


def add_message(kind: str, resource_id: str, message: Body) -> Call:
    """Return the call that adds a message and leaves the others alone."""
    return Call("POST", f"{_path(kind, resource_id)}/addMessage", {"message": message})


def answer_of(status: int, body: Any) -> Answer:
    """Return an answer with the reason of its body; whatever the body is, the status stands."""
    found = body if isinstance(body, dict) else {}
    return Answer(status, found, _reason(found))


def _reason(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    errors = error.get("errors") if isinstance(error, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    return str(first.get("reason", "")) if isinstance(first, dict) else ""


def _path(kind: str, resource_id: str) -> str:
    return f"{kind}/{quote(resource_id, safe='')}"
