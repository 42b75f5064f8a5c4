"""What a daemon is told about Google Wallet. The account's key stands in a file or in the environment, never here."""

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_VARIABLE: Final = "[A-Za-z_][A-Za-z0-9_]*"
_URL: Final = r"^https://[^\s/?#]+(/[^\s?#]*)?$"
_MAYBE_URL: Final = r"^(https://[^\s/?#]+(/[^\s?#]*)?)?$"

Origin = Annotated[str, StringConstraints(pattern=r"^https://[^\s/?#]+$")]


class GoogleSettings(BaseModel):
    """Google Wallet; without a service account the sandbox stands in for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service_account_file: str = Field(
        default="", description="The JSON key of a service account that is a user of the issuer; empty = none."
    )
    service_account_env: str = Field(
        default="",
        pattern=f"^({_VARIABLE})?$",
        description="Instead of the file: the environment variable that holds the JSON key.",
    )
    issuer_id: str = Field(
        default="",
        pattern=r"^([0-9]{1,19})?$",
        description="The issuer's number, as the Pay & Wallet console shows it.",
    )
    id_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
        description="Stands in front of the ids of classes and objects, so that installations that share an issuer "
        "keep apart. It cannot change later.",
    )
    origins: tuple[Origin, ...] = Field(
        default=(), description="Sites that show the save button by Google's script: https://www.example.com"
    )
    requests_per_second: float = Field(
        default=20.0, gt=0, le=1000, description="The pace of all workers together; Google allows 20."
    )
    timeout: float = Field(default=60.0, gt=0, le=600, description="Seconds to wait for an answer.")
    callback_url: str = Field(
        default="",
        pattern=_MAYBE_URL,
        description="Where Google tells who saved and who deleted; empty = below the web door's own address.",
    )
    callback_sender: str = Field(
        default="GooglePayPasses", min_length=1, description="The name under which Google signs callbacks."
    )
    callback_recipient: str = Field(
        default="", description="The name to which callbacks are signed; empty = the issuer's number."
    )
    callback_keys_url: str = Field(
        default="https://pay.google.com/gp/m/issuer/keys", pattern=_URL, description="Google's keys of callbacks."
    )
    api_url: str = Field(
        default="https://walletobjects.googleapis.com", pattern=_URL, description="The Google Wallet API."
    )
    token_url: str = Field(
        default="", pattern=_MAYBE_URL, description="Where access tokens come from; empty = as the key's file says."
    )
    save_url: str = Field(
        default="https://pay.google.com/gp/v/save/", pattern=_URL, description="What save links begin with."
    )
    proxy_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#]+/?)?$",
        description="A proxy on the way to Google: http://proxy.example.com:3128; empty = none.",
    )
    authorities_file: str = Field(
        default="", description="PEM certificates to trust instead of the system's, behind a proxy; empty = none."
    )

    @property
    def configured(self) -> bool:
        """Whether passes for Google Wallet are made."""
        return bool(self.service_account_file or self.service_account_env)

    def problems(self) -> Iterator[str]:
        """Yield what does not go together, a sentence each."""
        if self.service_account_file and self.service_account_env:
            yield "google.service_account_env: stands beside service_account_file; the key comes from one of them."
        if self.configured and not self.issuer_id:
            yield "google.issuer_id: is missing, which a service account needs."
        if self.issuer_id and not self.configured:
            yield "google.service_account_file: is missing, which an issuer_id needs."
