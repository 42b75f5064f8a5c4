"""The command line: one file per group of commands.

For: operators, partners, and the demo. Never: an import at module level that would slow `--help`.
Keeps: exit codes 0 done, 1 problems found in the data, 2 wrong usage or configuration, 3 daemon or server unreachable.
"""
