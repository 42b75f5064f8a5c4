"""The likely word behind a misspelt one, as the end of a sentence."""

import difflib
from collections.abc import Sequence


def near_miss(word: str, known: Sequence[str]) -> str:
    """Return ` Did you mean ...?` for the likely one, or nothing."""
    near = difflib.get_close_matches(word, known, 1, 0.6)
    return f" Did you mean `{near[0]}`?" if near else ""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return ` Did you mean ...?` for the likely one, else the list of known ones."""
    return near_miss(word, known) or f" Known are {', '.join(f'`{name}`' for name in known)}."
