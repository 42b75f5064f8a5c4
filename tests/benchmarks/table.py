"""The figures on the terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.goals import Goal


def show(figures: dict[str, Any], goals: list[Goal]) -> None:
    """Print what was measured, then the goals."""
    console = Console(width=110)
    table = Table(title=f"{figures['rows']:,} rows x 7 columns, SQLite, {figures['workers']} worker processes")
    for heading in ("step", "seconds", "rows/s", "CPU s", "daemon MB", "largest worker MB", "together MB"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for step, took in figures["line"].items():
        if step == "line":
            table.add_section()
        memory = (
            f"{took['daemon_mb']:,.0f}",
            f"{took['worker_mb']:,.0f}",
            f"{figures['memory'][step]['all_mb']:,.0f}",
        )
        name = "whole line" if step == "line" else step
        speed = f"{took['rows_per_second']:,.0f}"
        table.add_row(name, f"{took['seconds']:.2f}", speed, f"{took['cpu_seconds']:.2f}", *memory)
    table.add_section()
    for name, key in (("raw floor", "floor"), (f"per row ({figures['per_row']['rows']:,} rows)", "per_row")):
        table.add_row(name, f"{figures[key]['seconds']:.2f}", f"{figures[key]['rows_per_second']:,.0f}")
    console.print(table)
    beside = Table(title="Beside the apply, seconds")
    for heading in ("what", "count", "p50", "p99", "max"):
        beside.add_column(heading, justify="left" if heading == "what" else "right")
    for name, key in (("close of a small file", "close"), ("loop lag", "loop_lag")):
        found = figures["busy"][key]
        beside.add_row(name, f"{found['count']:,}", *(f"{found[part]:.4f}" for part in ("p50", "p99", "max")))
    console.print(beside)
    console.print(_signing(figures["signing"]))
    console.print(_pushes(figures["pushes"]))
    console.print(_links(figures["google"]["links"]))
    verdicts = Table(title="Goals")
    for heading in ("goal", "measured", "reach", ""):
        verdicts.add_column(heading, justify="right" if heading in {"measured", "reach"} else "left")
    for goal in goals:
        verdicts.add_row(goal.name, goal.figure, goal.goal, "[green]met[/]" if goal.met else "[red]missed[/]")
    console.print(verdicts)


def _signing(figures: dict[str, float]) -> Table:
    signing = Table(title=f"A loyalty card of {figures['bytes']:,} bytes, a second and core")
    for heading in ("what", "a second"):
        signing.add_column(heading, justify="left" if heading == "what" else "right")
    for key, name in (
        ("signed", "rendered, made and signed for Apple"),
        ("made", "without the signature"),
        ("google", "rendered for Google"),
        ("raw", "bare RSA-2048 signatures"),
        ("openssl", "the same, as openssl speed says"),
    ):
        if figures[key]:
            signing.add_row(name, f"{figures[key]:,.0f}")
    return signing


def _pushes(figures: dict[str, Any]) -> Table:
    pushes = Table(title=f"{figures['pushes']:,} pushes to the APNs double, a GOAWAY every 300 streams")
    for heading in ("client", "pushes/s and core", "pushes/s", "lost", "doubled"):
        pushes.add_column(heading, justify="left" if heading == "client" else "right")
    for client in ("ours", "aioapns"):
        took = figures[client]
        counts = (f"{took[name]:,.0f}" for name in ("per_core", "per_second", "lost", "doubled"))
        pushes.add_row(client, *counts)
    return pushes


def _links(figures: dict[str, float]) -> Table:
    links = Table(title="Save links of Google Wallet, a second and core")
    for heading in ("what", "a second"):
        links.add_column(heading, justify="left" if heading == "what" else "right")
    names = {"whole": "with the whole object", "skinny": "with ids only", "signatures": "bare RSA-2048 signatures"}
    for key, name in names.items():
        links.add_row(name, f"{figures[key]:,.0f}")
    return links
