"""Apple Wallet: passes rendered, signed and bundled; devices pushed.

For: `daemon`, which builds it of credentials and hands it over. Never: the store, a file of the configuration.
Keeps: serial number and authentication token of a pass never change; no secret is in a `repr`, a log or an error.
"""
