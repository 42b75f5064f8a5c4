"""Where bytes live: uploads while they are written, blobs that never change again, and the work area of drops.

For: `pipeline` and the doors. Never: a client's path; every name here is made by us (hex digits and dots).
Keeps: a blob is complete and durable before anybody can name it.
"""
