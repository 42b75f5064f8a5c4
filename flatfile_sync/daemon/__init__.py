"""Wiring: settings to running parts; run, drain, stop. The only code that names concrete adapters.

For: `cli`. Never: a rule of the line.
Keeps: parts start in dependency order and stop in reverse, each once.
"""
