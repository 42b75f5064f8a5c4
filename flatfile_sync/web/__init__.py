"""The HTTP door: Apple's devices, the add-to-wallet page, Google's callbacks, images, health, metrics.

For: devices, holders of passes, Google, and whoever watches the daemon. Never: a word about whether a pass exists to
somebody who has not shown that it is theirs; a loop that waits for a disk, a signature or a slow client.
Keeps: what an address may cost (connections, requests, bytes, time, memory) has an upper bound.
"""
