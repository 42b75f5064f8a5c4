"""The last act of the demonstration: a phone that holds a pass while a partner's file changes it.

`flatfile-sync demo` plays it in a clone, where the doubles of Apple and Google are at hand.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.apple_oracle import OPENSSL
from tests.wallets import World

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/604.1"
_LOOK_SECONDS = 0.05


class Stage:
    """A world with one phone; what its holder sees is `face` and `lock_screen`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._phone = world.device()
        self._told = world.environment()

    @property
    def environment(self) -> Mapping[str, str]:
        """What a daemon is told to find the world."""
        return self._told

    @property
    def lock_screen(self) -> list[str]:
        """What the phone has shown on its lock screen."""
        return self._phone.shown

    @property
    def complaints(self) -> list[str]:
        """What the phone found wrong, with the web service or with a pass, which it verifies with openssl."""
        return [*self._phone.faults, *self._phone.posted, *self._world.apns.complaints]

    def add(self, url: str) -> None:
        """Follow an add-to-wallet link on the phone and take the pass."""
        with self._world.client(headers={"User-Agent": IPHONE}) as browser:
            browser.get(url).raise_for_status()
            file = browser.get(f"{url}/pass.pkpass").raise_for_status()
        self._world.call(self._phone.add(file.content))

    def face(self) -> dict[str, str]:
        """Return the fields of the pass by their labels."""
        (held,) = self._phone.wallet.values()
        return {str(entry.get("label", key)): str(entry["value"]) for key, entry in held.fields().items()}

    @contextmanager
    def attending(self) -> Iterator[None]:
        """Hand pushes to the phone, which then asks what changed, for as long as this lasts."""
        over = threading.Event()

        def attend() -> None:
            while not over.wait(_LOOK_SECONDS):
                self._world.push()

        thread = threading.Thread(target=attend, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def stage(folder: Path) -> Iterator[Stage | None]:
    """Yield a stage whose files are in a new folder; None without openssl, by which the phone verifies passes."""
    if OPENSSL is None:
        yield None
        return
    with World(folder) as world:
        yield Stage(world)
