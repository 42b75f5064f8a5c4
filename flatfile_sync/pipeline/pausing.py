"""The garbage collector comes seldom: it would walk fifty thousand short-lived objects of a chunk for nothing."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_YOUNG: Final = 200_000


def collect_seldom() -> None:
    """Let the collector of this process forget what has been imported, and look at new objects seldom."""
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)


@contextmanager
def no_collection() -> Iterator[None]:
    """Stop the collector for a while; what is freed by reference counting is freed all the same."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
