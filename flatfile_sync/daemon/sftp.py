"""The SFTP door, of what the settings say about it."""

from datetime import timedelta
from pathlib import Path

from flatfile_sync.config.settings import Settings
from flatfile_sync.config.sftp import SftpSettings
from flatfile_sync.domain.bans import BanPolicy
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.sftp import host_keys
from flatfile_sync.sftp.door import Door
from flatfile_sync.sftp.revocation import Trust
from flatfile_sync.sftp.rules import Rules


def build(settings: Settings, kit: Kit, *, folder: str) -> Door:
    """Build the door; nothing listens yet. `folder` is where the host keys are, below the data folder."""
    sftp, keys = settings.sftp, settings.data_folder / folder
    host_keys.load(keys)  # what is wrong with them is said before anything runs
    return Door(
        kit=kit,
        host=sftp.host,
        port=sftp.port,
        host_keys=keys,
        rules=_rules(sftp),
    )


def _rules(sftp: SftpSettings) -> Rules:
    return Rules(
        allowed=sftp.networks("allowed"),
        denied=sftp.networks("denied"),
        proxies=sftp.networks("trusted_proxies"),
        unbanned=sftp.networks("never_banned"),
        bans=BanPolicy(
            strikes=sftp.ban_failures,
            window=timedelta(minutes=sftp.ban_window_minutes),
            length=timedelta(minutes=sftp.ban_minutes),
        ),
        connections=sftp.connections,
        strangers=sftp.strangers,
        strangers_per_address=sftp.strangers_per_address,
        connections_per_account=sftp.connections_per_account,
        login_seconds=sftp.login_seconds,
        tries=sftp.login_tries,
        algorithms=sftp.algorithms,
        passwords=sftp.passwords,
        trust=Trust(_file(sftp.user_authorities_file), _file(sftp.revoked_keys_file)),
    )


def _file(name: str) -> Path | None:
    return Path(name) if name else None
