"""A file on its way into the inbox, with bars, and the result set that comes back."""

from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from flatfile_sync.cli.output import print_json
from flatfile_sync.cli.partner import Address, Partner, ResultSet
from flatfile_sync.cli.results import print_ack, print_problems, print_summary

_NOT_IN_ORDER = ("rejected", "skipped", "unprocessed")


def deliver(
    file: Path, folder: str, *, address: Address, patience: float | None, out: Path | None, as_json: bool
) -> bool:
    """Send a file, print what comes of it, and return whether every record is in order.

    `patience` is how many seconds to wait for the result set; None = only for the ack.
    """
    with Partner(address) as partner, _bars(quiet=as_json) as bars:
        upload = bars.add_task(f"sending {file.name}", total=file.stat().st_size)
        sent = partner.put(file, folder, progress=lambda done, _total: bars.update(upload, completed=done))
        ack = sent.ack(timeout=30)
        found: ResultSet | None = None
        if patience is not None and ack["drop_id"] is not None:
            line = bars.add_task("waiting", total=None)
            found = sent.result_set(
                ack["stem"],
                timeout=patience,
                progress=lambda step, records: bars.update(line, description=f"{step}: {records:,} records"),
            )
    if found is None:
        print_json(ack) if as_json else print_ack(ack)
        return True
    if out is not None:
        found.save(out)
    if as_json:
        print_json(found.summary)
    else:
        print_summary(found.summary)
        print_problems(found.table("issues.csv"))
    return not any(found.summary["counts"][status] for status in _NOT_IN_ORDER)


def _bars(*, quiet: bool) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), transient=True, disable=quiet)
