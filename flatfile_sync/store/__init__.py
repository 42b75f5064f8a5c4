"""What must survive: SQLAlchemy Core tables, one module of statements per noun, Alembic migrations.

For: `pipeline` (and `daemon`, which opens it). Never: a decision about a drop, a record or a platform.
Keeps: statements are written once for SQLite and PostgreSQL; what a dialect needs differently is a function in
`dialects.py`. All writes of one process go through `Store.write`, which checks the epoch inside each transaction.
"""
