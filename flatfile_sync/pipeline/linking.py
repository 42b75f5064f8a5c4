"""Link: an address under which a holder adds passes to a wallet, until it ends or is called back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from flatfile_sync.domain.failures import Refused
from flatfile_sync.domain.links import MOST_PASSES, LinkKey, new_link_id
from flatfile_sync.store import audit, links, passes


@dataclass(frozen=True, slots=True, kw_only=True)
class Linker:
    """What links are made with; `public_url` is where people find the HTTP door."""

    key: LinkKey
    public_url: str
    life: timedelta

    def url(self, link_id: str) -> str:
        """Return the address of a link."""
        return f"{self.public_url}/p/{self.key.token(link_id)}"

    def link_id(self, text: str) -> str | None:
        """Return the id of a link given as address or token, None if it is none of ours."""
        return self.key.link_id(text.strip().rstrip("/").rpartition("/")[2])


def link(
    conn: Connection, pass_ids: Sequence[str], *, linker: Linker, now: datetime, life: timedelta | None = None
) -> tuple[str, datetime]:
    """Make one link for passes of one project and return its address and when it ends. Raises `Refused`."""
    if not linker.public_url:
        raise Refused("web.public_url is empty, so a link would lead nowhere; say where people find the HTTP door.")
    distinct = list(dict.fromkeys(pass_ids))
    if not 1 <= len(distinct) <= MOST_PASSES:
        raise Refused(f"A link is for 1 to {MOST_PASSES} passes, not for {len(distinct)}.")
    known = passes.owners(conn, distinct)
    missing = [pass_id for pass_id in distinct if pass_id not in known]
    if missing:
        raise Refused(f"There is no pass {', '.join(missing)}.")
    if len({project for _, project in known.values()}) > 1:
        raise Refused("Passes of several projects do not go into one link.")
    link_id, ends = new_link_id(), now + (life or linker.life)
    links.add_many(conn, [(link_id, [known[pass_id][0] for pass_id in distinct])], created_at=now, expires_at=ends)
    details = {"passes": distinct, "expires_at": ends.isoformat()}
    audit.record(conn, at=now, actor="operator", event="link_made", details=details)
    return linker.url(link_id), ends


def revoke(conn: Connection, *, link: str | None, pass_id: str | None, linker: Linker, now: datetime) -> int:
    """Call back a link (address or token), or every link of a pass; return how many were open. Raises `Refused`."""
    if link is not None:
        link_id = linker.link_id(link)
        if link_id is None:
            raise Refused("That is no link of ours: its token is not signed with the key of this data folder.")
        count, details = int(links.revoke(conn, link_id, now=now)), {"link": link_id}
    else:
        row = passes.by_id(conn, str(pass_id))
        if row is None:
            raise Refused(f"There is no pass {pass_id!r}; `passes find KIND=VALUE` looks by an identifier.")
        count, details = links.revoke_of_pass(conn, row.no, now=now), {"pass": row.id}
    audit.record(conn, at=now, actor="operator", event="links_revoked", details={**details, "open": count})
    return count


def link_many(conn: Connection, pass_nos: Sequence[int], *, linker: Linker, now: datetime) -> dict[int, str]:
    """Make a link for each pass and return pass number -> address."""
    made = {number: new_link_id() for number in pass_nos}
    rows = ((link_id, [number]) for number, link_id in made.items())
    links.add_many(conn, rows, created_at=now, expires_at=now + linker.life)
    return {number: linker.url(link_id) for number, link_id in made.items()}


def links_of(conn: Connection, pass_nos: Sequence[int], *, linker: Linker, now: datetime) -> dict[int, str]:
    """Return pass number -> address of a link that lives at least half as long as a new one; else it is made."""
    found = links.lasting(conn, pass_nos, until=now + linker.life / 2)
    missing = [number for number in pass_nos if number not in found]
    there = {number: linker.url(link_id) for number, link_id in found.items()}
    return there | link_many(conn, missing, linker=linker, now=now)
