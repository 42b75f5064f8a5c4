"""What happens to the JWT of a save link: Google's page, `jwt.insert` and `jwt.validate`."""

import copy
import json

import jwt

from tests.google_double import answers
from tests.google_double.account import ServiceAccount
from tests.google_double.answers import Answer, Refusal
from tests.google_double.schema import problems
from tests.google_double.wallet import Wallet

ADDRESS = "https://pay.google.com/gp/v/save/"
LONGEST = 1800
"""Characters of a JWT beyond which browsers and messengers cut the link."""


class Saving:
    """Takes JWTs signed by the account."""

    def __init__(self, wallet: Wallet, account: ServiceAccount) -> None:
        self.wallet, self.account = wallet, account

    def open(self, url: str) -> list[str]:
        """Return the ids of the objects that a holder has saved by opening a link."""
        assert url.startswith(ADDRESS), url
        token = url.removeprefix(ADDRESS)
        assert len(token) <= LONGEST, f"the JWT has {len(token)} characters"
        return self._saved(self._claims(token)["payload"])

    def signed(self, claims: dict) -> str:
        """Return the JWT of claims, right or wrong."""
        return jwt.encode(claims, self.account.key, algorithm="RS256", headers={"kid": self.account.key_id})

    def answer(self, path: str, body: bytes) -> Answer:
        """Answer `jwt` (insert) and `jwt/validate`."""
        try:
            data = json.loads(body)
            if path.endswith("/validate"):
                self._validate(data)
                return Answer(200, {})
            payload = self._claims(data["jwt"])["payload"]
            kept = {kind: self._inserted(kind, found) for kind, found in payload.items()}
        except Refusal as refused:
            return refused.answer
        return Answer(200, {"saveUri": f"{ADDRESS}{data['jwt']}", "resources": kept})

    def _claims(self, token: str) -> dict:
        try:
            claims = jwt.decode(
                token,
                self.account.key.public_key(),
                algorithms=["RS256"],
                audience="google",
                issuer=self.account.email,
                options={"verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise answers.refusal(400, "invalidJwt", str(error)) from None
        if claims.get("typ") != "savetowallet" or not isinstance(claims.get("iat"), int):
            raise answers.refusal(400, "invalidJwt", "typ is savetowallet, and iat a number.")
        return claims

    def _validate(self, data: dict) -> None:
        if ("jwtResource" in data) == ("jsonResource" in data):
            raise answers.refusal(400, "invalid", "Either jwtResource or jsonResource is set.")
        if "jwtResource" in data:
            payload = self._claims(data["jwtResource"]["jwt"])["payload"]
        else:
            found = json.loads(data["jsonResource"]["json"])
            payload = found.get("payload", found)
        trial = copy.deepcopy(self.wallet.resources)
        try:
            for kind, found in payload.items():
                self._inserted(kind, found)
        finally:
            self.wallet.resources = trial

    def _saved(self, payload: dict) -> list[str]:
        """Insert what is not there yet and let the holder have the objects."""
        saved = []
        for kind, found in sorted(payload.items()):
            for entry in self._inserted(kind, found):
                if kind.endswith("Objects"):
                    self.wallet.saved(entry["id"])
                    saved.append(entry["id"])
        return saved

    def _inserted(self, plural: str, found: list[dict]) -> list[dict]:
        wrong = next(problems("Resources", {plural: found}), None)
        if wrong:
            raise answers.bad_json(wrong)
        kind = plural.removesuffix("es") if plural.endswith("Classes") else plural.removesuffix("s")
        known = self.wallet.resources[kind]
        # What is there already stays as it is, whatever the JWT says of it.
        return [known[entry["id"]] if entry["id"] in known else self.wallet.insert(kind, entry) for entry in found]
