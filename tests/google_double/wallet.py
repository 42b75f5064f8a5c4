"""What Google Wallet keeps, and what it takes and refuses: resources, messages, notices, the rate. No network.

Source: the discovery document, the reference's descriptions, and the rules collected in the contract. Where the
documents leave a point open, the double takes the stricter reading.
"""

import copy
import json
import random
import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import unquote

from tests.google_double import answers
from tests.google_double.answers import Answer, Refusal
from tests.google_double.schema import problems

TYPES = ("generic", "loyalty", "offer", "giftCard", "eventTicket")
REQUIRED = {
    "genericObject": ("id", "classId", "cardTitle", "header"),
    "loyaltyObject": ("id", "classId", "state"),
    "offerObject": ("id", "classId", "state"),
    "eventTicketObject": ("id", "classId", "state"),
    "giftCardObject": ("id", "classId", "state", "cardNumber"),
    "genericClass": ("id",),
    "loyaltyClass": ("id", "issuerName", "programName", "programLogo", "reviewStatus"),
    "eventTicketClass": ("id", "issuerName", "eventName", "reviewStatus"),
    "offerClass": ("id", "issuerName", "provider", "title", "redemptionChannel", "reviewStatus"),
    "giftCardClass": ("id", "issuerName", "reviewStatus"),
}
PLATFORM_SET = ("hasUsers", "hasLinkedDevice", "classReference", "review")
NOTIFYING = {
    "loyaltyObject": ("loyaltyPoints", "secondaryLoyaltyPoints"),
    "loyaltyClass": ("rewardsTier", "localizedRewardsTier"),
    "eventTicketObject": ("seatInfo",),
    "eventTicketClass": ("dateTime", "venue"),
}
MOST_MESSAGES = 10
NOTICES = 3
DAY = timedelta(hours=24)
RATE = 20
_ID = re.compile(r"(\d+)\.([A-Za-z0-9._-]+)")
_PATH = re.compile(r"/walletobjects/v1/([A-Za-z]+)(?:/([^/]+))?(?:/([A-Za-z]+))?")
_MOST = {"merchantLocations": 10, "valueAddedModuleData": 15, "messages": MOST_MESSAGES}


@dataclass(slots=True)
class Rules:
    """What the double is told to do beyond its rules; calls are numbered from 1 on, each part of a batch is one."""

    lose: set[int] = field(default_factory=set)  # done, and then the connection is cut
    drop: set[int] = field(default_factory=set)  # the connection is cut before anything is done
    stranger: bool = False  # the service account is not a user of the issuer
    answering: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was looked at."""

    operation: str  # "patch loyaltyObject"
    resource_id: str
    body: dict | None
    batched: bool


class Wallet:
    """Resources by kind and id; `issuer` is the only one whose users may ask."""

    def __init__(self, *, issuer: str, clock: Callable[[], datetime], rate: int = RATE, seed: int = 0) -> None:
        self.issuer, self.clock, self.rate = issuer, clock, rate
        self.rules = Rules()
        self.resources: dict[str, dict[str, dict]] = {
            f"{kind}{half}": {} for kind in TYPES for half in ("Class", "Object")
        }
        self.calls: list[Call] = []
        self.counts: Counter[str] = Counter()
        self.script: dict[str, deque[Answer]] = defaultdict(deque)
        self.complaints: list[str] = []
        self.shown: dict[str, list[str]] = defaultdict(list)  # what Android told the holders, by object
        self.throttled = 0
        self.notices: dict[str, list[datetime]] = defaultdict(list)
        self._random = random.Random(seed)  # noqa: S311 - an order, no secret
        self._tokens, self._filled_at = float(rate), clock()

    def objects(self) -> dict[str, dict]:
        """Return every object by its id."""
        return {key: found for kind in TYPES for key, found in self.resources[f"{kind}Object"].items()}

    def saved(self, resource_id: str, *, users: bool = True) -> None:
        """Let a holder save an object, or take it off."""
        self.objects()[resource_id]["hasUsers"] = users

    def shuffled(self, parts: list) -> list:
        """Return the parts of a batch in the order in which they are done: any."""
        return self._random.sample(parts, len(parts))

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes, *, batched: bool = False) -> Answer:
        """Do a call, or refuse it."""
        try:
            self._take_one()
            operation, kind, resource_id = _route(method, path)
            data = _json(body) if method in {"POST", "PUT", "PATCH"} else None
            name = resource_id or str((data or {}).get("id", ""))
            self.calls.append(Call(f"{operation} {kind}", name, copy.deepcopy(data), batched))
            self.counts[f"{operation} {kind}"] += 1
            if self.script[f"{operation} {kind}"]:
                return self.script[f"{operation} {kind}"].popleft()
            if self.rules.stranger:
                raise answers.no_permission(self.issuer)
            found = self._do(operation, kind, resource_id, data or {}, query)
        except Refusal as refused:
            return refused.answer
        return Answer(200, copy.deepcopy(found))

    def _take_one(self) -> None:
        """Take a token of the bucket: `rate` a second, at most a second's worth saved up."""
        now = self.clock()
        refilled = (now - self._filled_at).total_seconds() * self.rate
        # A clock that is moved by hand moves in microseconds, so a token may be short of its last millionth.
        self._tokens, self._filled_at = min(float(self.rate), self._tokens + refilled), now
        if self._tokens < 1 - 1e-4:
            self.throttled += 1
            raise answers.too_fast()
        self._tokens -= 1

    def _do(self, operation: str, kind: str, resource_id: str, data: dict, query: dict[str, str]) -> dict:
        if operation == "insert":
            return self._shown_as(kind, self.insert(kind, data))
        if operation == "list":
            return self._list(kind, query)
        self._check_id(resource_id)
        known = self.resources[kind].get(resource_id)
        if known is None:
            raise answers.missing(kind, resource_id)
        if operation == "patch":
            self._patch(kind, known, data)
        elif operation == "update":
            self._update(kind, known, data)
        elif operation == "addmessage":
            self._add_message(kind, known, data)
            return {"resource": self._shown_as(kind, known)}
        return self._shown_as(kind, known)

    def insert(self, kind: str, data: dict) -> dict:
        """Store a new resource."""
        self._check(kind, data)
        self._check_id(str(data["id"]))
        # The class comes first: an object of none is refused before anybody looks whether it is there.
        self._check_object(kind, data)
        if data["id"] in self.resources[kind]:
            raise answers.exists(data["id"])
        made = copy.deepcopy(data)
        made.pop("notifyPreference", None)
        if kind.endswith("Object"):
            made["hasUsers"] = False
        self._settle(kind, made)
        self.resources[kind][made["id"]] = made
        return made

    def _patch(self, kind: str, known: dict, data: dict) -> None:
        found = next(problems(_schema(kind), data, nulls=True), None)
        if found:
            raise answers.bad_json(found)
        merged = _merged(known, data)
        self._replace(kind, known, merged, data)

    def _update(self, kind: str, known: dict, data: dict) -> None:
        kept = {key: known[key] for key in PLATFORM_SET if key in known}
        self._replace(kind, known, copy.deepcopy(data) | kept, data)

    def _replace(self, kind: str, known: dict, new: dict, data: dict) -> None:
        if new.get("id") != known["id"]:
            raise answers.bad_id(str(new.get("id")))
        if new.get("classId") != known.get("classId"):
            raise answers.refusal(400, "invalid", "The class of an object cannot change.")
        if known.get("reviewStatus") == "APPROVED" and new.get("reviewStatus") == "DRAFT":
            raise answers.refusal(400, "invalid", "An approved class cannot be a draft again.")
        notify = new.pop("notifyPreference", None) == "NOTIFY_ON_UPDATE"
        self._check(kind, {key: value for key, value in new.items() if key not in PLATFORM_SET}, stored=True)
        self._check_object(kind, new)
        old_ids = {str(message.get("id")) for message in known.get("messages", ())}
        for message in data.get("messages") or ():
            if message.get("messageType") == "TEXT_AND_NOTIFY":
                self.complaints.append(f"a message of {known['id']} that notifies came without addMessage")
        lost = old_ids - {str(message.get("id")) for message in new.get("messages", ())}
        if lost and len(known["messages"]) < MOST_MESSAGES:
            self.complaints.append(f"messages of {known['id']} were wiped: {sorted(lost)}")
        linked = [*known.get("linkedObjectIds", ()), *new.get("linkedObjectIds", ())]
        if linked:
            new["linkedObjectIds"] = list(dict.fromkeys(linked))  # once linked, always linked
        changed = any(known.get(key) != new.get(key) for key in NOTIFYING.get(kind, ()))
        if notify and changed and known.get("hasUsers") and self._may_notify(known["id"]):
            self._notify(known["id"], "update")
        known.clear()
        known.update(new)
        self._settle(kind, known)

    def _settle(self, kind: str, found: dict) -> None:
        """Change what the platform changes on its own."""
        if found.get("reviewStatus") == "UNDER_REVIEW":
            found["reviewStatus"] = "APPROVED"
        if kind.endswith("Object") and "linkedObjectIds" in found:
            del found["linkedObjectIds"][50:]  # ignored silently

    def _check(self, kind: str, data: dict, *, stored: bool = False) -> None:
        found = next(problems(_schema(kind), data), None)
        if found:
            raise answers.bad_json(found)
        for key in REQUIRED[kind]:
            if key not in data:
                raise answers.refusal(400, "required", f"{key} is required.")
        if any(key in data for key in PLATFORM_SET):
            raise answers.refusal(400, "invalid", "A field that the platform sets cannot be set.")
        wrong = {
            "reviewStatus can be DRAFT or UNDER_REVIEW.": not stored
            and data.get("reviewStatus") in {"APPROVED", "REJECTED"},
            "notifications: one of expiry and upcoming.": {"expiryNotification", "upcomingNotification"}
            <= data.get("notifications", {}).keys(),
            **{f"{key}: at most {most}.": len(data.get(key, ())) > most for key, most in _MOST.items()},
            **{
                f"{key}.balance: exactly one of string, int, double and money.": len(data[key].get("balance", ())) != 1
                for key in ("loyaltyPoints", "secondaryLoyaltyPoints")
                if key in data
            },
        }
        for text, found in wrong.items():
            if found:
                raise answers.refusal(400, "invalid", text)

    def _check_object(self, kind: str, data: dict) -> None:
        if not kind.endswith("Object"):
            return
        self._check_id(str(data["classId"]))
        owner = kind.replace("Object", "Class")
        made_of = self.resources[owner].get(data["classId"])
        if made_of is None:
            raise answers.missing(owner, data["classId"])
        if made_of.get("reviewStatus") == "DRAFT":
            raise answers.refusal(400, "classNotApproved", f"Class {data['classId']} is a draft.")
        known = self.objects()
        for linked in data.get("linkedObjectIds", ()):
            self._check_id(linked)
            if linked == data["id"] or linked not in known or known[linked].get("linkedObjectIds"):
                raise answers.bad_id(linked)

    def _check_id(self, resource_id: str) -> None:
        found = _ID.fullmatch(resource_id)
        if found is None or found[1] != self.issuer:
            raise answers.bad_id(resource_id)

    def _add_message(self, kind: str, known: dict, data: dict) -> None:
        found = next(problems("AddMessageRequest", data), None)
        if found:
            raise answers.bad_json(found)
        message = data.get("message")
        if not message:
            raise answers.refusal(400, "required", "message is required.")
        if message.get("messageType") == "EXPIRATION_NOTIFICATION":
            raise answers.refusal(400, "invalid", "EXPIRATION_NOTIFICATION is not supported.")
        if len(known.get("messages", ())) >= MOST_MESSAGES:
            raise answers.refusal(400, "invalid", f"messages: at most {MOST_MESSAGES}.")
        if message.get("messageType") == "TEXT_AND_NOTIFY":
            if not self._may_notify(known["id"]):
                raise answers.notify_quota(self.issuer, kind, known["id"])
            if kind.endswith("Object") and not known.get("hasUsers"):
                self.complaints.append(f"a notice of {known['id']}, which nobody has saved")
            self._notify(known["id"], message.get("body", ""))
        known.setdefault("messages", []).append(copy.deepcopy(message))

    def _may_notify(self, resource_id: str) -> bool:
        recent = [moment for moment in self.notices[resource_id] if self.clock() - moment < DAY]
        self.notices[resource_id] = recent
        return len(recent) < NOTICES

    def _notify(self, resource_id: str, text: str) -> None:
        self.notices[resource_id].append(self.clock())
        self.shown[resource_id].append(text)

    def _list(self, kind: str, query: dict[str, str]) -> dict:
        wanted = query.get("classId", query.get("issuerId"))
        field_name = "classId" if "classId" in query else "id"
        if wanted is None:
            raise answers.refusal(400, "required", "classId or issuerId is required.")
        found = [
            self._shown_as(kind, entry)
            for entry in self.resources[kind].values()
            if (entry[field_name] == wanted if field_name == "classId" else entry["id"].startswith(f"{wanted}."))
        ]
        begin, size = int(query.get("token", 0)), int(query.get("maxResults", len(found) or 1))
        page = found[begin : begin + size]
        pages: dict = {"resultsPerPage": len(page)}
        if begin + size < len(found):
            pages["nextPageToken"] = str(begin + size)
        return {"pagination": pages, "resources": page}

    def _shown_as(self, kind: str, found: dict) -> dict:
        if kind == "genericObject" or not kind.endswith("Object"):
            return found
        return found | {"classReference": self.resources[kind.replace("Object", "Class")][found["classId"]]}


def _schema(kind: str) -> str:
    return f"{kind[0].upper()}{kind[1:]}"


def _json(body: bytes) -> dict:
    try:
        found = json.loads(body)
    except ValueError:
        raise answers.bad_json("It cannot be parsed.") from None
    if not isinstance(found, dict):
        raise answers.bad_json("It is no object.")
    return found


def _merged(known: dict, patch: dict) -> dict:
    """Return a resource after a PATCH: merged key by key, null deletes, an array is replaced whole."""
    found = copy.deepcopy(known)
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict):
            old = found.get(key)
            found[key] = _merged(old if isinstance(old, dict) else {}, value)
        else:
            found[key] = copy.deepcopy(value)
    return found


def _route(method: str, path: str) -> tuple[str, str, str]:
    """Return operation, kind and resource id of a call."""
    match = _PATH.fullmatch(path)
    if match is None or match[1] not in REQUIRED:
        raise answers.refusal(404, "notFound", f"Not found: {path}", domain="global")
    kind, resource, verb = match[1], unquote(match[2] or ""), match[3]
    operation = {
        ("POST", False, None): "insert",
        ("GET", False, None): "list",
        ("GET", True, None): "get",
        ("PUT", True, None): "update",
        ("PATCH", True, None): "patch",
        ("POST", True, "addMessage"): "addmessage",
    }.get((method, bool(resource), verb))
    if operation is None:
        # No resource of the API can be deleted.
        raise answers.refusal(404, "notFound", f"Not found: {method} {path}", domain="global")
    return operation, kind, resource
