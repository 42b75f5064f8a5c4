"""Google Wallet: one object per pass, one class per pass type, kept by the Google Wallet API.

For: `daemon`, which builds `platform.Google`; the web door, which is handed save links and verified callbacks. Never:
the store; pace, notice ledger and circuit are Protocols of `domain`.
Keeps: calls of one object go out one after the other; what became of a call without an answer is looked up before it
is made again; a PATCH never names the messages of an object but to make room for the eleventh.

What is owed is worked out without any I/O (`contents`, `messages`, `classes`: generators that yield a `Call` and are
sent its `Answer`); `rounds` puts the next calls of many objects into one batch.
"""
