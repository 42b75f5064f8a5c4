"""The daemon's settings: a TOML file, overridden by environment variables `FLATFILE_SYNC_...`."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from flatfile_sync.config.apple import AppleSettings
from flatfile_sync.config.google import GoogleSettings
from flatfile_sync.config.problems import raise_problems, sentences
from flatfile_sync.config.sftp import SftpSettings
from flatfile_sync.config.web import WebSettings
from flatfile_sync.domain.failures import ConfigurationError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkSettings(_Section):
    """Heavy work."""

    processes: int = Field(default=2, ge=1, le=64, description="Worker processes for reading, checking, reporting.")
    chunk_records: int = Field(default=10_000, ge=100, le=50_000, description="Records per transaction.")
    drops_at_once: int = Field(default=2, ge=1, le=32, description="Drops of different feeds that run side by side.")


class SandboxSettings(_Section):
    """The sandbox platforms, which send nothing to anybody."""

    rate: float = Field(default=5000.0, gt=0, description="Deliveries a second.")
    latency: float = Field(default=0.01, ge=0, description="Seconds a call takes.")


class LogSettings(_Section):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level written.")
    format: Literal["json", "console"] = Field(default="json", description="One JSON object a line, or for reading.")


class Settings(BaseSettings):
    """Everything a daemon is told."""

    model_config = SettingsConfigDict(
        env_prefix="FLATFILE_SYNC_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data_folder: Path = Field(default=Path("data"), description="Uploads, reports, host keys and the database.")
    projects_folder: Path = Field(default=Path("projects"), description="One folder per project.")
    database_url: str = Field(default="", description="postgresql+psycopg://...; empty = SQLite in the data folder.")
    sftp: SftpSettings = Field(default=SftpSettings(), description="The SFTP door.")
    web: WebSettings = Field(default=WebSettings(), description="The HTTP door.")
    work: WorkSettings = Field(default=WorkSettings(), description="Heavy work.")
    sandbox: SandboxSettings = Field(default=SandboxSettings(), description="Stand-ins for Apple and Google.")
    apple: AppleSettings = Field(default=AppleSettings(), description="Apple Wallet. Secrets are never written here.")
    google: GoogleSettings = Field(
        default=GoogleSettings(), description="Google Wallet. Secrets are never written here."
    )
    log: LogSettings = Field(default=LogSettings(), description="The log, on standard error.")

    @property
    def database(self) -> str:
        """The URL of the database in use."""
        return self.database_url or f"sqlite:///{self.data_folder / 'flatfile-sync.sqlite'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no hidden file decides anything
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the environment before what the file says."""
        return env_settings, init_settings


_SECTIONS: Final = ("sftp", "web", "work", "sandbox", "apple", "google", "log")
_FILES: Final = {
    "sftp": ("user_authorities_file", "revoked_keys_file"),
    "apple": ("certificate_file", "key_file", "wwdr_file", "apns_key_file", "apns_authorities_file"),
    "google": ("service_account_file", "authorities_file"),
    "web": ("certificate_file", "key_file", "badges_folder"),
}


def load_settings(path: Path) -> Settings:
    """Return the settings of a file; relative folders and files are below the file's own folder."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: there is no such file; `flatfile-sync init` writes one.") from None
    except ValueError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None
    try:
        found = Settings(**data)
    except ValidationError as error:
        raise ConfigurationError("\n".join(f"{path}: {line}" for line in sentences(error, Settings))) from None
    raise_problems(path, [*found.apple.problems(), *found.google.problems(), *found.web.problems()])
    here = path.resolve().parent
    return found.model_copy(
        update={
            "data_folder": here / found.data_folder,
            "projects_folder": here / found.projects_folder,
            **{name: _below(here, getattr(found, name), keys) for name, keys in _FILES.items()},
        }
    )


def _below(here: Path, section: BaseModel, keys: tuple[str, ...]) -> BaseModel:
    """Return a section whose files are below a folder."""
    return section.model_copy(update={key: str(here / file) for key in keys if (file := getattr(section, key))})


def example_toml(**values: Any) -> str:
    """Return the commented configuration; each key with its default, or with the value given."""
    return "\n".join(_example(values)) + "\n"


def _example(values: dict[str, Any]) -> Iterator[str]:
    yield "# flatfile-sync: every setting. The environment comes before this file: FLATFILE_SYNC_SFTP__PORT=2022"
    for name, field in Settings.model_fields.items():
        if name not in _SECTIONS:
            yield f"\n# {field.description}"
            yield f"{name} = {_toml(values.get(name, field.default))}"
    for section in _SECTIONS:
        field = Settings.model_fields[section]
        yield f"\n# {field.description}\n[{section}]"
        given = values.get(section, {})
        for name, inner in type(field.default).model_fields.items():
            yield f"# {inner.description}"
            yield f"{name} = {_toml(given.get(name, inner.default))}"


def _toml(value: Any) -> str:
    if isinstance(value, tuple | bool):
        return json.dumps(value)
    return str(value) if isinstance(value, int | float) else '"' + str(value).replace("\\", "\\\\") + '"'
