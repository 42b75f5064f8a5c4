"""The SFTP door: accounts in, files durable, reports out. asyncssh is spoken nowhere else.

For: partners. Never: a client's path on the file system, or an OK before what it acknowledges is durable.
Keeps: every close answered OK has exactly one upload verdict; nothing of another account can be named.
"""
