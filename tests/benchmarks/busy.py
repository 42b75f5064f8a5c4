"""A door beside a large file: how long a close takes, and how late the event loop is, while a million rows are applied.

    python -m tests.benchmarks.busy FOLDER ROWS

Small files are closed through `pipeline.receive`, one after the other with a short pause, as a partner's client does.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.receive import Place, begin, close
from tests.benchmarks.line import ACCOUNT, finish, hand_over, open_kit, to_plan
from tests.benchmarks.steps import Steps

_LOOK_EVERY = 0.005
_PAUSE = 0.05
_SMALL = b"id.memberId,additionalData.points\nM0000001,7\n"


async def main(folder: Path, rows: int) -> None:
    """Apply the file of a folder and print percentiles of closes and of the loop's lag, in seconds."""
    kit = await open_kit(folder)
    steps = Steps(rows, kit.compute)
    drop = await to_plan(await hand_over(folder / "members.csv", kit=kit), kit=kit, steps=steps)
    lags: list[float] = []
    closes: list[float] = []
    watchers = [asyncio.create_task(_watch(lags)), asyncio.create_task(_close_files(closes, kit))]
    await finish(drop, kit=kit, steps=steps)
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)
    print(json.dumps({"loop_lag": percentiles(lags), "close": percentiles(closes)}))
    await kit.compute.close()
    kit.store.close()


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Return how many there are, the median, the 99th percentile and the largest."""
    ranked = sorted(seconds)
    last = len(ranked) - 1
    return {"count": len(ranked), "p50": ranked[last // 2], "p99": ranked[last * 99 // 100], "max": ranked[last]}


async def _watch(lags: list[float]) -> None:
    """Note how much later than asked the loop comes back, over and over."""
    while True:
        due = time.perf_counter() + _LOOK_EVERY
        await asyncio.sleep(_LOOK_EVERY)
        lags.append(time.perf_counter() - due)


async def _close_files(closes: list[float], kit: Kit) -> None:
    for number in range(sys.maxsize):
        place = Place(zone="inbox", folder=None, name=f"small-{number}.csv")
        upload, descriptor = await begin(ACCOUNT, place, resume=False, kit=kit)
        os.write(descriptor, _SMALL)
        started = time.perf_counter()
        await close(ACCOUNT, upload, descriptor, size=len(_SMALL), sha256=None, ended=True, kit=kit)
        closes.append(time.perf_counter() - started)
        os.close(descriptor)
        await asyncio.sleep(_PAUSE)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
