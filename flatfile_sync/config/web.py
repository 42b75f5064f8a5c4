"""What a daemon is told about its HTTP door."""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from flatfile_sync.config.networks import Network

_VARIABLE: Final = "[A-Za-z_][A-Za-z0-9_]*"
_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")


class WebSettings(BaseModel):
    """The HTTP door: Apple's devices, the add-to-wallet page, Google's callbacks, images, health and metrics."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=True, description="Whether this daemon has an HTTP door.")
    host: str = Field(
        default="127.0.0.1", description="Address to listen on; loopback, behind a proxy that speaks TLS."
    )
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*[^\s?#/])?)?$",
        description="Where people and Google find this door, without a slash at the end; empty = no links are made.",
    )
    certificate_file: str = Field(
        default="", description="A certificate of its own, PEM with the chain; empty = a proxy in front speaks TLS."
    )
    key_file: str = Field(default="", description="The private key, PEM; empty = it is in the certificate's file.")
    password_env: str = Field(
        default="",
        pattern=f"^({_VARIABLE})?$",
        description="The environment variable that holds the password of the key; empty = it has none.",
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=_LOOPBACK, description="Whose X-Forwarded-For and X-Forwarded-Proto are believed."
    )
    operators: tuple[Network, ...] = Field(
        default=_LOOPBACK, description="Who may read /metrics and the details of /readyz."
    )
    address_rate: float = Field(
        default=50.0, gt=0, description="Requests a second of one address; ten seconds' worth may come at once."
    )
    total_rate: float = Field(
        default=1000.0, gt=0, description="Requests a second of all; two seconds' worth may come at once."
    )
    connections: int = Field(default=400, ge=10, description="Connections open at a time; more are cut off.")
    cache_bytes: int = Field(default=64 << 20, ge=0, description="Memory for passes that are made already.")
    link_days: int = Field(default=90, ge=1, le=3650, description="Days an add-to-wallet link lives unless told.")

    badges_folder: str = Field(
        default="",
        description="The wallets' official badges: apple.svg, google.svg, also by language (apple.fr.svg); empty = "
        "plain buttons.",
    )

    @property
    def life(self) -> timedelta:
        """How long a link lives unless told."""
        return timedelta(days=self.link_days)

    def networks(self, name: str) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return the networks of a setting."""
        return tuple(ip_network(text) for text in getattr(self, name))

    def problems(self) -> Iterator[str]:
        """Yield what does not go together, a sentence each."""
        for name in ("key_file", "password_env"):
            if getattr(self, name) and not self.certificate_file:
                yield f"web.{name}: found {getattr(self, name)!r}, but there is no web.certificate_file it belongs to."
