"""Bytes and columns: the record index, the dialect, CSV slices to Arrow, report writers.

For: `pipeline`, mostly inside worker processes. Never: a database, a project rule, or a guess about an encoding.
Keeps: every record of the file has one place in the index; its bytes can be given back exactly as they came.
"""
