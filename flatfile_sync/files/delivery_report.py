"""`.delivery.csv`: what became of every effect a record owed; written chunk by chunk in worker processes."""

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from flatfile_sync.domain.states import DeliveryState, Notice, Outcome, Owed
from flatfile_sync.files.columns import read_lists
from flatfile_sync.files.report_columns import DELIVERY, names

_OPEN_WORDS: Final = {
    DeliveryState.ACCEPTED: Outcome.UNCONFIRMED,
    DeliveryState.HALTED: Outcome.HALTED,
}
_NOTICED: Final = (Outcome.FETCHED, Outcome.SENT, Outcome.QUOTA_DOWNGRADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How one delivery stands. `record` matters for messages; a pass's content is shared by its records."""

    pass_no: int
    platform: str
    message: bool
    record: int
    state: str
    outcome: str | None
    attempts: int
    settled_at: datetime | None
    reason: str | None

    @property
    def word(self) -> str:
        """The outcome, or the word for a delivery that has none."""
        if self.outcome is not None:
            return self.outcome
        return _OPEN_WORDS.get(DeliveryState(self.state), Outcome.WAITING).value


@dataclass(slots=True)
class Totals:
    """Words counted per column of the report."""

    records: int = 0
    words: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def owing_passes(verdict: Path) -> list[int]:
    """Return the passes of a chunk whose records owe something."""
    lists = read_lists(verdict, ("pass_no", "apple", "google", "notification"))
    owing = {Owed.QUEUED.value, Notice.QUEUED.value, Notice.QUIET_HOURS.value}
    return sorted({number for number, *words in zip(*lists.values(), strict=True) if not owing.isdisjoint(words)})


def append_chunk(target: Path, plan: Path, verdict: Path, effects: Sequence[Effect], *, first: bool) -> Totals:
    """Append the owing records of one chunk and return their totals."""
    places = read_lists(plan, ("record", "line", "key"))
    by_record = {record: (line, key) for record, line, key in zip(*places.values(), strict=True)}
    verdicts = read_lists(verdict, ("record", "pass_no", "pass_id", "apple", "google", "notification"))
    content = {(effect.pass_no, effect.platform): effect for effect in effects if not effect.message}
    messages: dict[int, list[Effect]] = defaultdict(list)
    for effect in effects:
        if effect.message:
            messages[effect.record].append(effect)
    totals = Totals()
    with target.open("w" if first else "a", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        if first:
            writer.writerow(names(DELIVERY))
        for record, number, pass_id, apple, google, notification in zip(*verdicts.values(), strict=True):
            words, shared = _effects(
                number, record, {"apple": apple, "google": google}, notification, content, messages
            )
            if not shared:
                continue
            totals.records += 1
            for name, word in words.items():
                if word:
                    totals.words[name][word] += 1
            line, key = by_record[record]
            moments = [effect.settled_at for effect in shared]
            done = max((moment for moment in moments if moment), default=None) if all(moments) else None
            reasons = dict.fromkeys(effect.reason for effect in shared if effect.reason)
            attempts = max(effect.attempts for effect in shared)
            stamp = done.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if done else ""
            writer.writerow((record, line, key, pass_id, *words.values(), attempts, stamp, "; ".join(reasons)))
    return totals


def _merit(effect: Effect) -> int:
    """Return a place in the order of what a holder noticed, the best first."""
    return _NOTICED.index(effect.outcome) if effect.outcome in _NOTICED else len(_NOTICED)


def _effects(  # noqa: PLR0917 - one record's cells, in the order of the columns
    number: int,
    record: int,
    owed: Mapping[str, str],
    notification: str,
    content: Mapping[tuple[int, str], Effect],
    messages: Mapping[int, Sequence[Effect]],
) -> tuple[dict[str, str], list[Effect]]:
    """Return the words of a record's three columns and the effects behind them."""
    words = {"apple": "", "google": "", "notification": ""}
    shared: list[Effect] = []
    for platform, word in owed.items():
        effect = content.get((number, platform))
        if word == Owed.QUEUED and effect is not None:
            words[platform] = effect.word
            shared.append(effect)
    if Notice(notification).owes and messages.get(record):
        told = messages[record]
        # One message to two platforms is one row: the best outcome is what the holder noticed.
        words["notification"] = min(told, key=_merit).word
        shared.extend(told)
    return words, shared
