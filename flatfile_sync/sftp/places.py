"""Places at the door: how many connections there may be, in all, before their login, and of one address.

Strangers must not use up what partners need: when all places before the login are taken, the oldest connection of
whoever holds most of them makes room for somebody who holds fewer.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


def _nothing() -> None:
    """Cut off nothing yet."""


@dataclass(slots=True, eq=False)
class Place:
    """The place of one connection; `end` cuts it off, and is set by whoever drives it at the time."""

    household: int
    end: Callable[[], object] = _nothing


@dataclass(slots=True, kw_only=True)
class Places:
    """At most `most` connections; of them `strangers` before their login, and of these `per_address` of one address."""

    most: int
    strangers: int
    per_address: int
    _strangers: dict[Place, None] = field(default_factory=dict)
    _partners: set[Place] = field(default_factory=set)

    def take(self, household: int) -> Place | None:
        """Return a place before the login, or None if there is none."""
        held = self._held()
        if len(self) >= self.most or held[household] >= self.per_address:
            return None
        if len(self._strangers) >= self.strangers:
            [(greedy, number)] = held.most_common(1)
            if number <= held[household] + 1:
                return None
            oldest = next(place for place in self._strangers if place.household == greedy)
            self.leave(oldest)
            oldest.end()
        place = Place(household)
        self._strangers[place] = None
        return place

    def move(self, place: Place, household: int) -> bool:
        """Count a stranger's place under another address; return False if that has too many, or the place is gone."""
        if place not in self._strangers or self._held()[household] >= self.per_address:
            return False
        place.household = household
        return True

    def holds(self, place: Place) -> bool:
        """Return whether a stranger's place is still theirs."""
        return place in self._strangers

    def logged_in(self, place: Place) -> None:
        """Make room among the strangers: this one is known now."""
        if place in self._strangers:
            del self._strangers[place]
            self._partners.add(place)

    def leave(self, place: Place) -> None:
        """Give a place back; may be called twice."""
        self._strangers.pop(place, None)
        self._partners.discard(place)

    def waiting(self) -> int:
        """Return how many have not logged in."""
        return len(self._strangers)

    def _held(self) -> Counter[int]:
        return Counter(place.household for place in self._strangers)

    def __len__(self) -> int:
        return len(self._strangers) + len(self._partners)
