"""How a result set is shown to a person: the acknowledgement, the counts, the first problems, the files."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flatfile_sync.cli.output import print_pairs, print_table

FIRST: Final = 8


def print_ack(ack: Mapping[str, Any]) -> None:
    """Print what was received and what was decided about it."""
    shown = ("decision", "why", "drop_id", "feed", "bytes", "sha256", "duplicate_of", "parent")
    print_pairs({name: ack[name] for name in shown if ack.get(name) is not None})


def print_summary(summary: Mapping[str, Any]) -> None:
    """Print verdict and counts, what went wrong by its code, and what is owed to the holders."""
    counts = {name: count for name, count in summary["counts"].items() if count and name != "read"}
    rows: list[tuple[object, ...]] = [("records read", summary["counts"]["read"], "")]
    rows += [(name, count, "") for name, count in counts.items()]
    for code, found in summary["codes"].items():
        lines = ", ".join(str(line) for line in found["first_lines"])
        rows.append((f"issue {code}", found["count"], f"first on line {lines}" if lines else ""))
    for platform, owed in summary["deliveries"].items():
        if owed["owed"]:
            rows.append((f"owed to {platform}", owed["owed"], f"sent in about {max(1, owed['eta_seconds'])} s"))
    verdict = f"{summary['verdict']}: {summary['reason']}" if summary.get("reason") else summary["verdict"]
    print(f"{summary['file']}: {verdict}")
    print_table(("", "records", ""), rows)


def print_problems(problems: Sequence[Mapping[str, str]], *, limit: int = FIRST) -> None:
    """Print the first problems with line, column, value and remedy, and say how many there are in all."""
    if not problems:
        return
    print_table(
        ("line", "code", "column", "value", "problem", "remedy"),
        [
            (row["_line"], row["_code"], row["_column"], row["_value"], row["_message"], row["_hint"])
            for row in problems[:limit]
        ],
    )
    if len(problems) > limit:
        print(f"... and {len(problems) - limit} more in .issues.csv")
