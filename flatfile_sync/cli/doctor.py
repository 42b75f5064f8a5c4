"""Look whether everything is in order: folder, disk, keys, clocks, versions, database, projects, daemon."""

from collections import Counter

import typer

from flatfile_sync.cli.exits import ExitCode
from flatfile_sync.cli.opening import AsJson, settings
from flatfile_sync.cli.output import print_json, print_table
from flatfile_sync.domain.clock import utc_now


def command(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Print findings with their remedies; nothing is changed."""
    from flatfile_sync.cli.examining import examine

    findings = examine(settings(ctx), clock=utc_now)
    levels = Counter(finding.level for finding in findings)
    if as_json:
        counts = {level: levels[level] for level in ("ok", "warn", "bad")}
        print_json({"counts": counts, "findings": [finding._asdict() for finding in findings]})
    else:
        print_table(("", "about", "found", "remedy"), ((f.level, f.about, f.found, f.remedy) for f in findings))
        print(f"\n{levels['ok']} ok, {levels['warn']} to look at, {levels['bad']} bad.")
    if levels["bad"]:
        raise typer.Exit(ExitCode.BAD)
