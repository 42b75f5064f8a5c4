"""Answers of the Google double, with the bodies that the real API sends."""

from dataclasses import dataclass, field

DOMAIN = "walletobjects"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with a JSON body, or with bytes of another kind; headers beyond the usual ones."""

    status: int
    body: dict | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


class Refusal(Exception):  # noqa: N818 - an answer, no mistake of the double's
    """An answer that ends the request where it is found out."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.answer = answer


def refusal(status: int, reason: str, message: str, *, domain: str = DOMAIN, word: str | None = None) -> Refusal:
    """Return `{"error": {code, message, errors: [{message, domain, reason}], status?}}`."""
    error = {
        "code": status,
        "message": message,
        "errors": [{"message": message, "domain": domain, "reason": reason}],
    }
    return Refusal(Answer(status, {"error": error if word is None else error | {"status": word}}))


def bad_json(message: str) -> Refusal:
    return refusal(
        400, "badRequest", f"Invalid JSON payload received. {message}", domain="global", word="INVALID_ARGUMENT"
    )


def bad_id(resource_id: str) -> Refusal:
    return refusal(400, "invalidResource", f"Invalid resource ID: {resource_id}")


def unauthorized() -> Refusal:
    message = "Request had invalid authentication credentials."
    return refusal(401, "authError", message, domain="global", word="UNAUTHENTICATED")


def too_fast() -> Refusal:
    message = "Quota exceeded for quota metric 'Requests' and limit 'Requests per second'."
    return refusal(429, "rateLimitExceeded", message, domain="usageLimits", word="RESOURCE_EXHAUSTED")


def no_permission(issuer: str) -> Refusal:
    return refusal(403, "permissionDenied", f"Permission denied for issuer {issuer}: the account is not a user of it.")


def notify_quota(issuer: str, kind: str, resource_id: str) -> Refusal:
    word = "class" if kind.endswith("Class") else "object"
    message = f"Quota exceeded for issuer {issuer} when adding TEXT_AND_NOTIFY message to {word} {resource_id}."
    return refusal(403, "quotaExceeded", message)


def missing(kind: str, resource_id: str) -> Refusal:
    if kind.endswith("Class"):
        return refusal(404, "classNotFound", f"Wallet Object Class {resource_id} not found.")
    return refusal(404, "resourceNotFound", f"Wallet Object {resource_id} not found.")


def exists(resource_id: str) -> Refusal:
    return refusal(409, "existingResource", f"An object or class with ID {resource_id} already exists.")
