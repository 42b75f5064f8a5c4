"""What a daemon is told about its SFTP door."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from flatfile_sync.config.networks import Network

_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")


class SftpSettings(BaseModel):
    """The SFTP door."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on; loopback unless you mean it.")
    port: int = Field(default=2222, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    public_host: str = Field(
        default="", description="The name under which partners reach it, for connection sheets; empty = host."
    )
    public_port: int = Field(default=0, ge=0, le=65535, description="The port of that name; 0 = port.")
    algorithms: Literal["strict", "compat"] = Field(
        default="compat", description="strict = the best of today; compat = also what Debian 12's curl or JSch need."
    )
    allowed: tuple[Network, ...] = Field(default=(), description="Who may connect; empty = anybody.")
    denied: tuple[Network, ...] = Field(default=(), description="Who may not, even if allowed.")
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="Load balancers; each of their connections begins with a PROXY header, version 1 or 2."
    )
    connections: int = Field(default=500, ge=1, description="Connections open at a time; more are cut off.")
    strangers: int = Field(default=100, ge=1, description="Of these, how many before their login.")
    strangers_per_address: int = Field(default=10, ge=1, description="Of these, how many of one address.")
    connections_per_account: int = Field(default=10, ge=1, description="Connections of one account at a time.")
    login_seconds: float = Field(default=30.0, ge=1, le=600, description="Seconds a login may take.")
    login_tries: int = Field(default=6, ge=1, le=100, description="Keys and passwords a connection may try.")
    passwords: bool = Field(
        default=False, description="Whether accounts that have a password may use it; keys and certificates always may."
    )
    user_authorities_file: str = Field(
        default="",
        description="Public keys, one a line: user certificates of theirs that name an account as principal open it.",
    )
    revoked_keys_file: str = Field(
        default="",
        description="What no longer opens anything: public keys, or lines key:, hash:, id:, serial: of ssh-keygen -k.",
    )
    ban_failures: int = Field(default=10, ge=1, description="Failed connections of one address that lead to a ban.")
    ban_window_minutes: float = Field(default=10.0, gt=0, description="Minutes after which a failure is forgiven.")
    ban_minutes: float = Field(default=60.0, gt=0, description="How long a ban lasts; a restart does not end it.")
    never_banned: tuple[Network, ...] = Field(default=_LOOPBACK, description="Who is never banned, whatever fails.")

    def networks(self, name: str) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return the networks of a setting."""
        return tuple(ip_network(text) for text in getattr(self, name))
