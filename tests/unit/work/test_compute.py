import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flatfile_sync.domain.failures import PermanentFailure, TemporaryFailure
from flatfile_sync.work.compute import Processes

PATIENCE = 20
PROBE = "worker_probe"
ROOT = Path(__file__).parents[3]

# Functions that the workers import: a module of its own, so that they need nothing of pytest.
_PROBE = """
import os, signal, sys, time
from pathlib import Path
from flatfile_sync.domain.failures import PermanentFailure

def pid(): return os.getpid()
def double(text, *, times=2): return text * times
def die(): os.kill(os.getpid(), signal.SIGKILL)
def refuse(): raise PermanentFailure("never")
def awkward():
    class Local(Exception): pass
    raise Local("cannot be pickled")
def chatter():
    print("not an answer")
    sys.stdin.read()
    return "an answer"
def survives(number):
    os.kill(os.getpid(), number)
    return "still here"
def hang(started):
    Path(started).write_text(str(os.getpid()))
    time.sleep(600)
def loaded(): return sorted(name for name in ("pandas", "pyarrow", "pydantic") if name in sys.modules)
def large(size): return b"x" * size
def meet(folder, name, count):
    Path(folder, name).touch()
    while len(list(Path(folder).iterdir())) < count: time.sleep(0.005)
    return os.getpid()
"""


@pytest.fixture
def probe(tmp_path, monkeypatch):
    (tmp_path / f"{PROBE}.py").write_text(_PROBE)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop(PROBE, None)
    yield __import__(PROBE)
    sys.modules.pop(PROBE, None)


@pytest.fixture
async def processes(probe):  # noqa: ARG001 - the workers get the path that has it
    processes = Processes(2, preload=())
    yield processes
    await processes.close()


async def test_a_function_runs_in_another_process(processes, probe):
    assert await processes.run(probe.double, "ab", times=3) == "ababab"
    assert await processes.run(probe.pid) not in {os.getpid(), 0}


async def test_two_functions_run_at_the_same_time_and_no_more(processes, probe, tmp_path):
    folder = tmp_path / "meeting"
    folder.mkdir()
    async with asyncio.timeout(PATIENCE):
        pids = await asyncio.gather(*(processes.run(probe.meet, str(folder), f"{no}", 2) for no in range(2)))
        assert len(set(pids)) == 2
        more = await asyncio.gather(*(processes.run(probe.pid) for _ in range(10)))
    assert set(more) <= set(pids)
    assert processes.width == 2


async def test_what_a_function_raises_is_raised_here_with_the_workers_traceback(processes, probe):
    with pytest.raises(PermanentFailure, match="never") as caught:
        await processes.run(probe.refuse)
    assert "worker_probe.py" in caught.value.__notes__[0]


async def test_an_exception_that_cannot_travel_arrives_as_its_text(processes, probe):
    with pytest.raises(RuntimeError, match="cannot be pickled"):
        await processes.run(probe.awkward)


async def test_what_cannot_be_pickled_is_refused_before_a_worker_is_taken(processes, probe):
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        await processes.run(lambda: None)
    assert await processes.run(probe.double, "a") == "aa"


async def test_printing_and_reading_do_not_disturb_the_answers(processes, probe):
    assert await processes.run(probe.chatter) == "an answer"
    assert await processes.run(probe.double, "a") == "aa"


async def test_an_answer_may_be_large(processes, probe):
    assert len(await processes.run(probe.large, 5_000_000)) == 5_000_000


async def test_a_worker_that_dies_is_a_temporary_failure_and_the_next_call_gets_a_new_one(processes, probe):
    first = await processes.run(probe.pid)
    with pytest.raises(TemporaryFailure, match="-9 while it ran die"):
        await processes.run(probe.die)
    second = await processes.run(probe.pid)
    assert second != first
    assert processes.pids == [second]


async def test_a_worker_that_died_while_it_was_idle_is_replaced_after_one_failure(processes, probe):
    pid = await processes.run(probe.pid)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(TemporaryFailure):
        await processes.run(probe.pid)
    assert await processes.run(probe.pid) != pid


async def test_a_call_that_is_cancelled_takes_its_process_with_it(processes, probe, tmp_path):
    started = tmp_path / "started"
    call = asyncio.create_task(processes.run(probe.hang, str(started)))
    pid = int(await _text_of(started))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not _alive(pid)
    assert await processes.run(probe.double, "a") == "aa"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_the_whole_service_does_not_end_a_worker(processes, probe, number):
    assert await processes.run(probe.survives, number) == "still here"


async def test_closing_ends_idle_and_busy_workers_and_refuses_more(processes, probe, tmp_path):
    started = tmp_path / "started"
    busy = asyncio.create_task(processes.run(probe.hang, str(started)))
    await processes.run(probe.pid)
    await _text_of(started)
    pids = processes.pids
    assert len(pids) == 2
    await processes.close()
    await processes.close()
    with pytest.raises(TemporaryFailure):
        await busy
    assert not any(_alive(pid) for pid in pids)
    with pytest.raises(TemporaryFailure, match="stopping"):
        await processes.run(probe.pid)


async def test_warming_starts_all_workers_which_import_what_is_heavy_before_their_first_call(probe):
    processes = Processes(1)
    try:
        await processes.warm()
        assert len(processes.pids) == 1
        assert await processes.run(probe.loaded) == ["pandas", "pyarrow", "pydantic"]
    finally:
        await processes.close()


def test_the_loops_process_does_not_import_what_is_heavy():
    code = "import sys, flatfile_sync.work.compute; print([m for m in ('pandas', 'pyarrow') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "[]"


_PARENT = """
import asyncio, os, sys
from flatfile_sync.work.compute import Processes
import worker_probe

async def main():
    processes = Processes(2, preload=())
    busy = asyncio.create_task(processes.run(worker_probe.hang, sys.argv[1]))
    while not os.path.exists(sys.argv[1]): await asyncio.sleep(0.01)
    await processes.warm()
    print(*processes.pids, flush=True)
    await busy

asyncio.run(main())
"""


def test_workers_die_with_a_parent_that_is_killed(tmp_path, probe):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(probe.__file__).parent)])}
    command = [sys.executable, "-c", _PARENT, str(tmp_path / "started")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(_alive(pid) for pid in pids)
        parent.kill()
    deadline = time.monotonic() + PATIENCE
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.01)


async def _text_of(file):
    async with asyncio.timeout(PATIENCE):
        while not (file.exists() and file.read_text()):  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.005)
    return file.read_text()


def _alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"
