"""What `doctor` looks at of the HTTP door: its settings and its certificate; nobody is called."""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from typing import Final

from flatfile_sync.cli.findings import Finding, Level, failed
from flatfile_sync.config.settings import Settings
from flatfile_sync.daemon.link_key import LINK_KEY, load_link_key
from flatfile_sync.daemon.web import badges, load_tls
from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import ConfigurationError

_ABOUT: Final = "web door"
_SOON, _URGENT = timedelta(days=30), timedelta(days=7)


def web_door(settings: Settings, *, clock: Clock) -> Iterator[Finding]:
    """Yield how the HTTP door is set up."""
    web = settings.web
    if not web.enabled:
        yield Finding(_ABOUT, "ok", "switched off")
        return
    try:
        tls = load_tls(web)
        badges(web)
        if (settings.data_folder / LINK_KEY).exists():
            load_link_key(settings.data_folder)
    except ConfigurationError as error:
        yield failed(_ABOUT, error)
        return
    where = f"{web.host}:{web.port}, {web.public_url or 'no web.public_url: no links are made'}"
    if tls is None and not _loopback(web.host):
        remedy = "Listen on loopback behind a proxy that speaks TLS, or set web.certificate_file."
        yield Finding(_ABOUT, "warn", f"{where}; without TLS, open to other machines", remedy)
    else:
        yield Finding(_ABOUT, "ok", where)
    if tls is not None:
        left = tls.not_after - clock()
        level: Level = "ok" if left > _SOON else "warn" if left > _URGENT else "bad"
        remedy = "" if level == "ok" else "Renew it; the daemon reads a changed file within a minute."
        yield Finding("web certificate", level, f"ends {tls.not_after:%Y-%m-%d}, in {max(left.days, 0)} days", remedy)
    if settings.apple.configured and not settings.apple.web_service_url.startswith(web.public_url or "https://"):
        found = f"apple.web_service_url is {settings.apple.web_service_url}, web.public_url {web.public_url}"
        yield Finding("web addresses", "warn", found, "Check that devices reach this door at both.")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
