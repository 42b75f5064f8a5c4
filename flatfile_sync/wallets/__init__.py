"""Apple Wallet, Google Wallet and a sandbox behind one Protocol (`platform.py`).

For: `daemon`, which builds them; `pipeline.deliver` knows the Protocol only. Never: the store.
Keeps: repeating an effect with the same delivery id is harmless; a platform raises only `TemporaryFailure` or
`PermanentFailure`.
"""
