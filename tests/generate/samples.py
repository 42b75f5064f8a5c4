"""The big sample files: existing passes, a night's export against them, its rejects mended. Seeded: always the same.

Most members of the export changed, some did not, one is named twice, and `_WRONG` are wrong, each in its own way.
"""

import csv
import hashlib
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SAMPLES: Final = Path(__file__).parents[2] / "sample_files"
_SEED: Final = 20260801
_CARDS, _GIFTS, _EXPORTED, _TICKETS = 4500, 500, 2000, 40
_TIERS: Final = ((9000, "Platinum"), (5000, "Gold"), (2000, "Silver"), (0, "Bronze"))
_NAMES: Final = (
    "Ada Bruno Chloé Dario Elif Félix Greta Hugo Inès Jonas Katya Léo Mila Noé Olga Paul Rosa Sami Tove Yann"
)
_CITIES: Final = ("Lyon", "Paris, Rivoli", "Lille", "Marseille", "Nantes", "Bordeaux", "Aix-en-Provence", "Köln")
PASS_COLUMNS: Final = (
    "id",
    "passType",
    "id.memberId",
    "id.crm.contactId",
    "id.customerEmail",
    "additionalData.points",
    "additionalData.tier",
    "additionalData.balance",
    "additionalData.expiryDate",
    "additionalData.firstName",
    "additionalData.vip",
    "additionalData.memberSince",
    "metadata.source",
    "metadata.store.city",
    "apple",
    "google",
)
TICKET_COLUMNS: Final = (
    "id",
    "passType",
    "id.ticketNumber",
    "id.orderNumber",
    "id.holderEmail",
    "additionalData.event",
    "additionalData.gate",
    "additionalData.seat",
    "additionalData.doorsAt",
    "additionalData.startTime",
    "apple",
    "google",
)
EXPORT_COLUMNS: Final = (
    "id.memberId",
    "id.crm.contactId",
    "additionalData.points",
    "additionalData.tier",
    "additionalData.expiryDate",
    "additionalData.firstName",
    "additionalData.memberSince",
    "metadata.store.city",
)
_MEMBER, _CONTACT, _POINTS, _TIER, _EXPIRY, _NAME, _SINCE, _CITY = range(len(EXPORT_COLUMNS))

_WRONG: Final[tuple[tuple[int, int, str], ...]] = (
    (61, _POINTS, "12O0"),  # V01: the letter O
    (187, _TIER, "Sliver"),  # V06
    (342, _POINTS, "-50"),  # V03
    (505, _EXPIRY, "31/12/2027"),  # V01: a date of the other side of the Channel
    (668, _MEMBER, "M004711"),  # K02
    (790, _NAME, "Maximiliane-Alexandrine-Wilhelmine-Friederike"),  # V04, and a `pii` value
    (951, _CITY, "Paris, Rivoli"),  # D03: written without quotes
    (1113, _CITY, 'Lyon "Part-Dieu"'),  # D04: written without quotes
    (1260, _MEMBER, "M12345"),  # V05
    (1404, _CONTACT, "3.41E+09"),  # V08
    (1571, _MEMBER, ""),  # K01, with the contact left out too
    (1733, _CONTACT, "0034000001"),  # K04: another member's contact
    (1888, _TIER, "gold"),  # V06
)
_RAW: Final = frozenset({951, 1113})
_NO_CONTACT: Final = (668, 1571)
_DROPPED: Final = 402  # V09: a year that is no year is dropped, the rest of the record applied
_TWICE, _AGAIN = 25, 1999  # the same member near the beginning and at the very end
_NEWLINE: Final = 900  # a line end inside quotes


@dataclass(frozen=True, slots=True)
class Export:
    """A night's export, and the mended rejects that follow it."""

    members: bytes
    repaired: bytes


def passes() -> bytes:
    """Return `loyalty/passes.csv`: 4,500 loyalty cards and 500 gift cards whose owners have a loyalty card too."""
    target = io.StringIO(newline="")
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(PASS_COLUMNS)
    writer.writerows(_passes())
    return target.getvalue().encode()


def export() -> Export:
    """Return `loyalty/members.csv` and `loyalty/members.rejects.repaired.csv`."""
    rng = random.Random(_SEED + 1)  # noqa: S311 - the same file each time is the point
    cards = [row for row in _passes() if row[1] == "loyalty_card"]
    chosen = sorted(rng.sample(range(1, len(cards)), _EXPORTED))
    mended = {record for record, _, _ in _WRONG}
    rows = [_exported(cards[place], rng, new=record in mended) for record, place in enumerate(chosen, start=1)]
    rows[_AGAIN - 1] = [*rows[_TWICE - 1]]
    rows[_AGAIN - 1][_POINTS] = str(int(rows[_TWICE - 1][_POINTS]) + 250)
    rows[_NEWLINE - 1][_CITY] = "Lyon\nPart-Dieu"
    right = {record: _line(rows[record - 1]) for record, _, _ in _WRONG}
    for record, place, text in _WRONG:
        rows[record - 1][place] = text
    for record in _NO_CONTACT:
        rows[record - 1][_CONTACT] = ""
    rows[_DROPPED - 1][_SINCE] = "19"
    head = ",".join(EXPORT_COLUMNS) + "\n"
    lines = [",".join(row) + "\n" if record in _RAW else _line(row) for record, row in enumerate(rows, start=1)]
    return Export((head + "".join(lines)).encode(), (head + "".join(right.values())).encode())


def _passes() -> Iterator[list[str]]:
    rng = random.Random(_SEED)  # noqa: S311 - as above
    names = _NAMES.split()
    emails: list[str] = []
    for number in range(1, _CARDS + 1):
        name = rng.choice(names)
        emails.append(f"{name.lower()}.{number}@mail.example".replace("é", "e").replace("è", "e"))
        points = rng.randrange(12_000)
        yield [
            _pass_id(f"loyalty_card/{number}"),
            "loyalty_card",
            f"M{number:06}",
            f"0034{number:06}",
            emails[-1],
            str(points),
            _tier(points),
            "",
            rng.choice(("2026-12-31", "2027-12-31")),
            name,
            "true" if points >= _TIERS[0][0] else "false",
            str(rng.randrange(2009, 2026)),
            "import",
            rng.choice(_CITIES),
            *_installed(rng),
        ]
    for number in range(1, _GIFTS + 1):
        balance = f"{rng.randrange(200) / 2:.2f}"
        yield [
            _pass_id(f"gift_card/{number}"),
            "gift_card",
            f"M9{number:05}",
            "",
            emails[number * 9 - 1],
            *("", "", balance, "2027-06-30", "", "", "", "import", ""),
            *_installed(rng),
        ]


def _exported(card: list[str], rng: random.Random, *, new: bool) -> list[str]:
    """Return a card's line of the export: six in seven (or any that must be `new`) have new points."""
    cells = dict(zip(PASS_COLUMNS, card, strict=True))
    row = [cells[name] for name in EXPORT_COLUMNS]
    if rng.random() < 6 / 7 or new:
        points = int(row[_POINTS]) + rng.randrange(5, 900, 5)
        row[_POINTS], row[_TIER] = str(points), _tier(points)
        if row[_EXPIRY] == "2026-12-31" and rng.random() < 1 / 4:
            row[_EXPIRY] = "2027-12-31"
    return row


def _line(row: list[str]) -> str:
    target = io.StringIO(newline="")
    csv.writer(target, lineterminator="\n").writerow(row)
    return target.getvalue()


def _tier(points: int) -> str:
    return next(name for least, name in _TIERS if points >= least)


def _installed(rng: random.Random) -> tuple[str, str]:
    """Return on how many devices a pass is on Apple Wallet, and whether it is on Google Wallet."""
    return rng.choices((("1", "0"), ("0", "1"), ("2", "0"), ("1", "1"), ("0", "0")), (50, 30, 5, 3, 12))[0]


def _tickets() -> bytes:
    """Return `events/passes.csv`: one evening in one hall, two seats an order."""
    target = io.StringIO(newline="")
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(TICKET_COLUMNS)
    for number in range(1, _TICKETS + 1):
        order = (number + 1) // 2
        seat = f"{'ABCD'[(number - 1) // 10]}{(number - 1) % 10 + 1}"
        ids = (f"T{number:05}", f"O{order:04}", f"guest.{order}@mail.example")
        places = ("Winterreise", "B1", seat, "2026-11-05T18:30:00Z", "20:00:00")
        writer.writerow(
            (_pass_id(f"ticket/{number}"), "ticket", *ids, *places, int(number % 3 > 0), int(number % 3 == 0))
        )
    return target.getvalue().encode()


def _pass_id(name: str) -> str:
    return hashlib.sha256(f"sample/{name}".encode()).hexdigest()[:32]


def files() -> dict[Path, bytes]:
    """Return every generated sample file by its path."""
    made = export()
    return {
        SAMPLES / "events" / "passes.csv": _tickets(),
        SAMPLES / "loyalty" / "passes.csv": passes(),
        SAMPLES / "loyalty" / "members.csv": made.members,
        SAMPLES / "loyalty" / "members.rejects.repaired.csv": made.repaired,
    }
