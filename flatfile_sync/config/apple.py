"""What a daemon is told about Apple Wallet. Secrets stand in files and in the environment; here are their names."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_VARIABLE: Final = "[A-Za-z_][A-Za-z0-9_]*"
_NEEDED: Final = ("team_identifier", "pass_type_identifier", "web_service_url", "token_keys")

TokenKey = Annotated[str, StringConstraints(pattern=f"^[A-Za-z0-9_.-]{{1,32}}={_VARIABLE}$")]


class AppleSettings(BaseModel):
    """Apple Wallet; without a certificate the sandbox stands in for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate_file: str = Field(
        default="", description="The Pass Type ID certificate: PEM, or PKCS#12 with its key; empty = no Apple Wallet."
    )
    key_file: str = Field(default="", description="The private key, PEM; empty = it is in the certificate's file.")
    password_env: str = Field(
        default="",
        pattern=f"^({_VARIABLE})?$",
        description="The environment variable that holds the password of the key; empty = it has none.",
    )
    wwdr_file: str = Field(
        default="",
        description="Apple's Worldwide Developer Relations certificate; empty = it is in the certificate's file.",
    )
    team_identifier: str = Field(
        default="", pattern="^([A-Z0-9]{10})?$", description="The ten characters of the team, the certificate's OU."
    )
    pass_type_identifier: str = Field(
        default="", pattern=r"^(pass\.[A-Za-z0-9.-]+)?$", description="As in the certificate: pass.com.example.card"
    )
    web_service_url: str = Field(
        default="",
        pattern=r"^(https://[^\s/?#]+(/[^\s?#]*)?)?$",
        description="Where devices find this daemon, over https. It stands in every pass and cannot change later.",
    )
    apns_host: str = Field(default="api.push.apple.com", min_length=1, description="Where pushes go.")
    apns_port: int = Field(default=443, ge=1, le=65535, description="443, or 2197 where a firewall wants it.")
    push_type: Literal["background", "none"] = Field(
        default="background", description="The header apns-push-type: background with priority 5, none with 10."
    )
    apns_key_file: str = Field(
        default="", description="A signing key of the team for APNs (.p8); empty = the certificate shows who pushes."
    )
    apns_key_id: str = Field(
        default="", pattern="^([A-Z0-9]{10})?$", description="The ten characters of that key; with apns_key_file only."
    )
    apns_authorities_file: str = Field(
        default="", description="Who vouches for apns_host, PEM; empty = the authorities this machine trusts."
    )
    pushes_per_second: float = Field(
        default=200.0,
        gt=0,
        le=10_000,
        description="The pace of all workers together; each push makes a device ask this daemon twice, and sign once.",
    )
    token_keys: tuple[TokenKey, ...] = Field(
        default=(),
        description="Keys of the passes' tokens as id=ENVIRONMENT_VARIABLE; the last one is for new passes. "
        "A key stays here as long as one of its passes lives.",
    )

    @property
    def configured(self) -> bool:
        """Whether passes for Apple Wallet are made."""
        return bool(self.certificate_file)

    def variables(self) -> dict[str, str]:
        """Return the environment variable of each token key by its id, in order."""
        return {key: variable for key, _, variable in (entry.partition("=") for entry in self.token_keys)}

    def problems(self) -> Iterator[str]:
        """Yield what does not go together, a sentence each."""
        if self.configured:
            for name in _NEEDED:
                if not getattr(self, name):
                    yield f"apple.{name}: is missing, which a certificate_file needs."
        if bool(self.apns_key_file) != bool(self.apns_key_id):
            missing = "apns_key_id" if self.apns_key_file else "apns_key_file"
            yield f"apple.{missing}: is missing; a key file and its key id belong together."
        counts = Counter(entry.partition("=")[0] for entry in self.token_keys)
        for key, count in counts.items():
            if count > 1:
                yield f"apple.token_keys: the id {key!r} stands {count} times; each key has an id of its own."
