"""Work is due: the engine adapters, the worker processes, the calendar.

For: `daemon`. Never: a decision about a drop; it calls `pipeline` with a key.
Keeps: the tables, not the engine, know what is outstanding; a lost submission is found by the sweep.
"""
