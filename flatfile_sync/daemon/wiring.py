"""Settings to running parts: the one place that knows which adapter stands behind which Protocol."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from flatfile_sync.config.projects import ProjectFolder
from flatfile_sync.config.settings import Settings
from flatfile_sync.daemon.link_key import linker
from flatfile_sync.daemon.projects import open_projects
from flatfile_sync.daemon.sftp import build as build_sftp
from flatfile_sync.domain.clock import Clock, utc_now
from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.states import Platform
from flatfile_sync.domain.tally import Tally
from flatfile_sync.pipeline import expected, exporting, line, retention
from flatfile_sync.pipeline.deliver import confirm, deliver
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.sftp.door import Door
from flatfile_sync.spool.images import Images
from flatfile_sync.spool.local import Spool
from flatfile_sync.store.database import Store
from flatfile_sync.wallets.platform import WalletPlatform
from flatfile_sync.wallets.sandbox.platform import Sandbox
from flatfile_sync.work.calendar import Calendar, Job
from flatfile_sync.work.compute import Processes
from flatfile_sync.work.handling import Handlers
from flatfile_sync.work.inprocess import InProcess

if TYPE_CHECKING:
    from flatfile_sync.daemon.apple import AppleWallet
    from flatfile_sync.daemon.google import GoogleParts
    from flatfile_sync.daemon.web import WebParts

HOST_KEYS: Final = "host_keys"
IMAGES: Final = "images"
_CALLBACK: Final = "/google/callback"
# Two platforms and their confirmations go on beside the drops.
_BESIDE_DROPS: Final = 3
# The command line changes drops beside the daemon, which finds them when it sweeps.
_SWEEP_SECONDS: Final = 5.0
# At night in Europe, when the files of the day before are through.
_EXPORTS_AT: Final = timedelta(hours=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What runs in one daemon."""

    kit: Kit
    processes: Processes
    engine: InProcess
    calendar: Calendar
    door: Door
    apple: "AppleWallet | None"
    google: "GoogleParts | None"
    web: "WebParts | None"

    async def close(self) -> None:
        """End what is open to the outside, and the worker processes."""
        await self.processes.close()
        if self.apple is not None:
            await self.apple.platform.close()
        if self.google is not None:
            await self.google.close()


def wire(settings: Settings, store: Store, *, clock: Clock = utc_now) -> Parts:
    """Build the parts of a daemon on a prepared store; nothing runs yet."""
    kit: Kit  # made below, of the engine that calls these
    handlers: Handlers = {
        TaskKind.ADVANCE: lambda key: line.advance(key, kit=kit),
        TaskKind.DELIVER: lambda key: deliver(key, kit=kit),
        TaskKind.CONFIRM: lambda key: confirm(key, kit=kit),
    }
    engine = InProcess(
        handlers=handlers,
        sweep=lambda: line.outstanding(kit=kit),
        concurrency=settings.work.drops_at_once + _BESIDE_DROPS,
        limits={TaskKind.ADVANCE: settings.work.drops_at_once},
        sweep_every=_SWEEP_SECONDS,
        clock=clock,
    )
    processes = Processes(settings.work.processes)
    images = Images(settings.data_folder / IMAGES)
    sandbox = settings.sandbox
    platforms: dict[Platform, WalletPlatform] = {
        name: Sandbox(name, rate=sandbox.rate, latency=sandbox.latency) for name in Platform
    }
    tally = Tally()
    # What is not set up is not imported: a daemon without wallets and web door starts in half the time.
    apple = None
    if settings.apple.configured:
        from flatfile_sync.daemon.apple import open_apple  # noqa: PLC0415 - as said

        apple = open_apple(settings.apple, store=store, image=images.get, clock=clock, tally=tally)
    if apple is not None:
        platforms[Platform.APPLE] = apple.platform
    public_url = settings.web.public_url
    google = None
    if settings.google.configured:
        from flatfile_sync.daemon.google import google as open_google  # noqa: PLC0415 - as said

        google = open_google(
            settings.google,
            store,
            clock=clock,
            image_url=lambda sha256: f"{public_url}/images/{sha256}" if public_url and sha256 in images else None,
            callback_url=f"{public_url}{_CALLBACK}" if public_url else "",
            tally=tally,
        )
        platforms[Platform.GOOGLE] = google.platform
    projects = open_projects(settings.projects_folder, keep_image=images.put)
    kit = Kit(
        store=store,
        spool=Spool(settings.data_folder / "spool"),
        compute=processes,
        projects=projects,
        platforms=platforms,
        engine=engine,
        clock=clock,
        chunk_records=settings.work.chunk_records,
        tally=tally,
        linker=linker(settings) if settings.web.enabled and public_url else None,
    )
    jobs = (
        Job(name="retention", run=lambda: retention.expire(kit=kit), every=timedelta(hours=1)),
        Job(name="exports", run=lambda: exporting.export(kit=kit), every=timedelta(days=1), offset=_EXPORTS_AT),
        Job(name="expected", run=lambda: expected.watch(kit=kit), every=timedelta(minutes=1)),
        *_about_certificates(apple, store, clock),
        *_about_classes(google, projects),
    )
    web = None
    if settings.web.enabled:
        from flatfile_sync.daemon.web import build as build_web  # noqa: PLC0415 - as said

        queues = {"tasks": lambda: engine.waiting}
        web = build_web(settings, kit, images=images, apple=apple, google=google, queues=queues)
    return Parts(
        kit=kit,
        processes=processes,
        engine=engine,
        calendar=Calendar(store, jobs, clock=clock),
        door=build_sftp(settings, kit, folder=HOST_KEYS),
        apple=apple,
        google=google,
        web=web,
    )


def _about_certificates(apple: "AppleWallet | None", store: Store, clock: Clock) -> Iterator[Job]:
    if apple is not None:
        from flatfile_sync.daemon import expiring  # noqa: PLC0415 - see `wire`

        certificate = apple.certificate
        look = partial(expiring.warn, certificate, store=store, clock=clock)
        yield Job(name="certificates", run=look, every=timedelta(days=1))


def _about_classes(google: "GoogleParts | None", projects: ProjectFolder) -> Iterator[Job]:
    if google is not None:
        from flatfile_sync.daemon import classes  # noqa: PLC0415 - see `wire`

        look = partial(classes.provide, google.platform, projects=projects)
        # A class that is as it was costs no call; the first look of a process asks Google once for each.
        yield Job(name="google_classes", run=look, every=timedelta(minutes=5))
