"""Named points at which the drills end the process.

A point costs one call of an empty function. The drills (`tests/faults`) replace `hook` before they start the daemon;
nothing in the product does.
"""

from collections.abc import Callable


def _pass_by(_name: str) -> None:
    """Do nothing: the product never stops at a point."""


hook: Callable[[str], None] = _pass_by


def point(name: str) -> None:
    """Mark a place where a process may die and nothing may be lost."""
    hook(name)
