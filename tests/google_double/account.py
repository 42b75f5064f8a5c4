"""A service account made at run time, and the endpoint that gives it access tokens.

Source: Google Identity, Using OAuth 2.0 for Server to Server Applications.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.apple_keys import private_key
from tests.google_double.answers import Answer

EMAIL = "wallet@example-project.iam.gserviceaccount.com"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
AUDIENCE = "https://oauth2.googleapis.com/token"
"""Google's own client names the real endpoint, wherever it sends the assertion."""
LIFETIME = timedelta(seconds=3600)
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """What the console hands out as a JSON file."""

    key: RSAPrivateKey
    key_id: str = "key-1"
    email: str = EMAIL

    def file(self, token_uri: str) -> bytes:
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        told = {
            "type": "service_account",
            "project_id": "example-project",
            "private_key_id": self.key_id,
            "private_key": private,
            "client_email": self.email,
            "client_id": "100000000000000000001",
            "token_uri": token_uri,
        }
        return json.dumps(told).encode()


def service_account() -> ServiceAccount:
    return ServiceAccount(key=private_key("google service account"))


class Tokens:
    """The token endpoint; `audience` is its own address."""

    def __init__(self, account: ServiceAccount, *, clock: Callable[[], datetime]) -> None:
        self.account, self.clock = account, clock
        self.audience = ""
        self.minted = 0
        self.refusals: list[str] = []
        self.down = False
        self.known: dict[str, datetime] = {}

    def revoke(self) -> None:
        """Let every token that is out be none."""
        self.known.clear()

    def allows(self, authorization: str | None) -> bool:
        token = (authorization or "").removeprefix("Bearer ")
        return token in self.known and self.clock() < self.known[token]

    def grant(self, body: bytes) -> Answer:
        """Give a token for an assertion, or say what is wrong with it."""
        if self.down:
            return Answer(503, {"error": "internal_failure"})
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        if form.get("grant_type") != GRANT:
            return self._refused("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type')}")
        wrong = self._wrong(form.get("assertion", ""))
        if wrong:
            return self._refused("invalid_grant", wrong)
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self.known[token] = self.clock() + LIFETIME
        self.minted += 1
        told = {"access_token": token, "expires_in": int(LIFETIME.total_seconds()), "token_type": "Bearer"}
        return Answer(200, told)

    def _refused(self, error: str, description: str) -> Answer:
        self.refusals.append(description)
        return Answer(400, {"error": error, "error_description": description})

    def _wrong(self, assertion: str) -> str:
        try:
            head = jwt.get_unverified_header(assertion)
            # The clock is ours, so the moments are looked at below.
            unchecked = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
            claims = jwt.decode(assertion, self.account.key.public_key(), algorithms=["RS256"], options=unchecked)
        except jwt.PyJWTError as error:
            return f"Invalid JWT: {error}"
        now, skew = self.clock().timestamp(), _SKEW.total_seconds()
        issued, expires = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int) or not isinstance(expires, int):
            return "iat and exp are integers"
        complaints = {
            f"Invalid JWT: no key {head.get('kid')!r}": head.get("kid") != self.account.key_id,
            "Invalid issuer": claims.get("iss") != self.account.email,
            "Invalid audience": claims.get("aud") not in {self.audience, AUDIENCE},
            "Invalid scope": SCOPE not in str(claims.get("scope", "")).split(),
            "Token must be a short-lived token (60 minutes)": expires - issued > LIFETIME.total_seconds(),
            "Token is not within its lifetime": issued > now + skew or expires < now - skew,
        }
        return next((text for text, wrong in complaints.items() if wrong), "")
