"""The nouns: what a project, a drop, a record, a pass and a delivery are.

For: every other floor. Never: I/O, third-party imports, or knowledge of a door, a database or a platform.
Keeps: a value that exists here is complete; what is wrong with a partner's data is an `Issue`, never an exception.
"""
