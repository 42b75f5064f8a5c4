"""How many holders have saved a pass to Google Wallet, as far as we were told."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.store.tables import passes


def count(conn: Connection, pass_no: int, by: int) -> int:
    """Count one save more or less and return how many there are; there are never fewer than none."""
    changed = passes.c.google + by
    floor = sa.case((changed < 0, 0), else_=changed)
    statement = sa.update(passes).where(passes.c.no == pass_no).values(google=floor).returning(passes.c.google)
    return int(conn.execute(statement).scalar_one())
