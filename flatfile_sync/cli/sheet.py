"""The connection sheet: what a partner needs to know about the SFTP door, to be sent to them as it is."""

from collections.abc import Iterator, Mapping

from flatfile_sync.config.sftp import SftpSettings
from flatfile_sync.domain.project import Feed, Project
from flatfile_sync.store.accounts import Account


def write(account: Account, project: Project, sftp: SftpSettings, fingerprints: Mapping[str, str]) -> str:
    """Return the sheet as Markdown; nothing in it is secret. `fingerprints`: host key file -> `SHA256:...`."""
    return "\n".join(_lines(account, project, sftp, fingerprints)) + "\n"


def _lines(account: Account, project: Project, sftp: SftpSettings, fingerprints: Mapping[str, str]) -> Iterator[str]:
    host, port, user = sftp.public_host or sftp.host, sftp.public_port or sftp.port, account.name
    feeds = [feed for feed in project.feeds if not account.feeds or feed.name in account.feeds]
    example = _file_name(feeds[0]) if feeds else "file.csv"
    yield f"# SFTP connection: {user} ({project.title})"
    yield ""
    yield f"- host: `{host}`, port: `{port}`, protocol: SFTP (SSH 2), user: `{user}`"
    ways = "public key (ed25519, ECDSA, or RSA of 3072 bits and more)"
    yield f"- login: {ways}{' or password' if sftp.passwords and account.password else ''}"
    if account.addresses:
        yield f"- allowed from: {', '.join(f'`{network}`' for network in account.addresses)}"
    yield "- host key, one of (accept no other):"
    yield from (f"  - {name.removeprefix('host_key_')}: `{value}`" for name, value in fingerprints.items())
    yield ""
    yield "## Folders"
    yield ""
    yield "- `/inbox/`: put files here; they are taken when they are closed, or renamed to their final name"
    yield "- `/dryrun/`: the same checks and reports, but nothing is changed"
    yield "- `/outbox/`: reports about each file; its `.summary.json` comes last"
    yield "- `/archive/`: what was sent, to be read"
    yield ""
    yield "## Feeds"
    yield ""
    yield from (
        f"- `{feed.name}`: files named {' or '.join(f'`{glob}`' for glob in feed.globs)}, in `/inbox/` "
        f"or `/inbox/{feed.name}/`"
        for feed in feeds
    )
    yield from _samples(host, port, user, example, fingerprints)


def _samples(host: str, port: int, user: str, example: str, fingerprints: Mapping[str, str]) -> Iterator[str]:
    key = next(iter(fingerprints.values()), "").removeprefix("SHA256:")
    yield ""
    yield "## OpenSSH"
    yield ""
    yield "```"
    yield f"sftp -P {port} -i ~/.ssh/id_ed25519 {user}@{host}"
    yield f"put {example} /inbox/"
    yield "ls -l /outbox"
    yield f"get /outbox/{example}.*"
    yield "```"
    yield ""
    yield "## WinSCP (script)"
    yield ""
    yield "```"
    yield f'open sftp://{user}@{host}:{port}/ -hostkey="ssh-ed25519 255 {key}" -privatekey="C:\\keys\\{user}.ppk"'
    yield f"put {example} /inbox/"
    yield f"get /outbox/{example}.* C:\\reports\\"
    yield "exit"
    yield "```"
    yield ""
    yield "## Airflow"
    yield ""
    yield f"Connection `wallet_sftp`: type SFTP, host `{host}`, port `{port}`, login `{user}`, extra"
    yield '`{"key_file": "/keys/id_ed25519", "no_host_key_check": false, "host_key": "..."}`.'
    yield ""
    yield "```python"
    yield "SFTPOperator("
    yield '    task_id="send_to_wallet",'
    yield '    ssh_conn_id="wallet_sftp",'
    yield f'    local_filepath="/data/{example}",'
    yield f'    remote_filepath="/inbox/{example}",'
    yield '    operation="put",'
    yield ")"
    yield "```"
    yield ""
    yield "## Salesforce Marketing Cloud"
    yield ""
    yield "1. Setup, Data Management, Key Management: create an SSH key; send its public half to us."
    yield "2. Setup, Data Management, File Locations: new location, type External SFTP Site, "
    yield f"   URL `{host}:{port}/inbox`, user `{user}`, authentication by SSH key."
    yield f"3. Automation Studio: Data Extract activity named like `{example}`, CSV with a header row; then a"
    yield "   File Transfer activity that moves it to that location."
    yield "4. A second location with the path `/outbox` and an Import activity read `.result.csv` back."


def _file_name(feed: Feed) -> str:
    return feed.globs[0].replace("*", "") if feed.globs[0].strip("*.csv") else "members.csv"
