"""What the SFTP door is told by its operator."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from flatfile_sync.domain.addresses import Network
from flatfile_sync.domain.bans import BanPolicy
from flatfile_sync.sftp.algorithms import Profile
from flatfile_sync.sftp.revocation import Trust

LOGIN_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Who may connect and how often: empty `allowed` means anybody; `denied` comes before it.

    From `proxies` a connection begins with a PROXY header; they and `unbanned` are never banned. `guesses` are wrong
    passwords for one name, from wherever.
    """

    allowed: Sequence[Network] = ()
    denied: Sequence[Network] = ()
    proxies: Sequence[Network] = ()
    unbanned: Sequence[Network] = ()
    bans: BanPolicy = field(default_factory=BanPolicy)
    connections: int = 500
    strangers: int = 100
    strangers_per_address: int = 10
    connections_per_account: int = 10
    login_seconds: float = LOGIN_SECONDS
    tries: int = 6
    algorithms: Profile = "compat"
    passwords: bool = False
    refusal_seconds: float = 1.0
    guesses: BanPolicy = field(default_factory=lambda: BanPolicy(strikes=20))
    trust: Trust = field(default_factory=lambda: Trust(None, None))
