"""What the figures should reach, each with the figure that was measured and whether it does."""

from dataclasses import dataclass
from typing import Any

LINE_ROWS_PER_SECOND = 40_000
TIMES_PER_ROW = 10
APPLY_TIMES_FLOOR = 3
PEAK_MB = 700
PEAK_GROWTH = 32
CLOSE_P99 = 0.5
LAG_P99 = 0.05
SIGNED_SHARE = 0.4
LINKS_TIMES_SIGNATURES = 0.5
CALLS_PER_SECOND = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One figure beside its goal, as text; `met` is the verdict."""

    name: str
    figure: str
    goal: str
    met: bool


def judge(figures: dict[str, Any]) -> list[Goal]:
    """Return the goals with what was measured."""
    line, apply = figures["line"]["line"], figures["line"]["apply"]
    per_row = figures["per_row"]["rows_per_second"]
    speed, floor = line["rows_per_second"], figures["floor"]["seconds"]
    close, lag = figures["busy"]["close"]["p99"], figures["busy"]["loop_lag"]["p99"]
    peak = figures["memory"]["line"]["all_mb"]
    large = figures.get("large")
    growth = (large["line"]["all_mb"] - peak) * 1_000_000 / (large["rows"] - figures["rows"]) if large else None
    signing = figures["signing"]
    signed, bare = signing["signed"], signing["openssl"] or signing["raw"]
    pushes = figures["pushes"]
    ours, beside = pushes["ours"], pushes["aioapns"]
    links, lanes = figures["google"]["links"], figures["google"]["lanes"]
    return [
        _at_least("whole line, rows/s", speed, LINE_ROWS_PER_SECOND, ",.0f"),
        _at_least("whole line, times the per-row baseline", speed / per_row, TIMES_PER_ROW, ".1f"),
        _at_most("apply, times the floor's time", apply["seconds"] / floor, APPLY_TIMES_FLOOR, ".2f"),
        _at_most("peak memory of daemon and workers together, MB", peak, PEAK_MB, ",.0f"),
        *(
            [_at_most(f"its growth up to {large['rows']:,} rows, bytes a row", growth, PEAK_GROWTH, ".1f")]
            if large
            else []
        ),
        _at_most("close beside the apply, p99, s", close, CLOSE_P99, ".3f"),
        _at_most("loop lag beside the apply, p99, s", lag, LAG_P99, ".3f"),
        _at_least("signed passes per core, share of bare signatures", signed / bare, SIGNED_SHARE, ".2f"),
        _at_least("APNs pushes per core, times aioapns", ours["per_core"] / beside["per_core"], 1, ".2f"),
        _at_most("pushes lost or doubled under GOAWAY", ours["lost"] + ours["doubled"], 0, ",.0f"),
        _at_least(
            "save links, times bare RSA signatures", links["whole"] / links["signatures"], LINKS_TIMES_SIGNATURES, ".2f"
        ),
        # A batch that is on its way when they are owed may take one second more.
        _at_most(
            f"{lanes['gates']} gates behind {lanes['backlog']:,} bulk updates, s",
            lanes["seconds"],
            lanes["gates"] / CALLS_PER_SECOND + 1,
            ".1f",
        ),
        _at_most("calls beyond Google's 20 a second", lanes["throttled"], 0, ",.0f"),
    ]


def _at_least(name: str, figure: float, goal: float, form: str) -> Goal:
    return Goal(name=name, figure=format(figure, form), goal=f"≥ {goal:,}", met=figure >= goal)


def _at_most(name: str, figure: float, goal: float, form: str) -> Goal:
    return Goal(name=name, figure=format(figure, form), goal=f"≤ {goal:,}", met=figure <= goal)
