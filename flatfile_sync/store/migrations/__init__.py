"""How the schema came about: one Alembic revision per file in `versions/`, applied by `store.migrate`.

For: `store.migrate` only. Never: an import of `store.tables`; a revision says what it did then.
Keeps: the head equals the tables on both databases (a test compares them).
"""
