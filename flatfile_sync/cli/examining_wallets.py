"""What `doctor` looks at of the wallet platforms: the files and variables with their secrets; nobody is called."""

from collections.abc import Iterator

from flatfile_sync.cli.findings import Finding, failed
from flatfile_sync.config.settings import Settings
from flatfile_sync.daemon.apple import open_certificate, token_keys
from flatfile_sync.daemon.google import account
from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import ConfigurationError

_NOBODY = "none: the sandbox stands in, and no holder hears of anything"
_URGENT = 7


def wallets(settings: Settings, *, clock: Clock) -> Iterator[Finding]:
    """Yield how Apple Wallet and Google Wallet are set up."""
    yield from _apple(settings, clock)
    yield _google(settings)


def _apple(settings: Settings, clock: Clock) -> Iterator[Finding]:
    apple = settings.apple
    if not apple.configured:
        yield Finding("apple wallet", "ok", _NOBODY)
        return
    try:
        certificate = open_certificate(apple, clock=clock)
        keys = token_keys(apple)
    except ConfigurationError as error:
        yield failed("apple wallet", error)
        return
    ends = f"{certificate.leaf.not_valid_after_utc:%Y-%m-%d}"
    yield Finding("apple wallet", "ok", f"{certificate.pass_type_identifier}, ends {ends}, {keys!r}")
    for warning in certificate.expiry_warnings(clock()):
        left = f"{warning.name} ends {warning.not_after:%Y-%m-%d}, in {warning.days} days"
        remedy = "Renew it in the developer account; a new one for the same identifier takes over at once."
        yield Finding("apple certificate", "bad" if warning.step <= _URGENT else "warn", left, remedy)


def _google(settings: Settings) -> Finding:
    google = settings.google
    if not google.configured:
        return Finding("google wallet", "ok", _NOBODY)
    try:
        found = account(google)
    except ConfigurationError as error:
        return failed("google wallet", error)
    return Finding("google wallet", "ok", f"issuer {google.issuer_id} by {found.email}")
