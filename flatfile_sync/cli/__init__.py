"""The command line: one file per command, or per group of commands on one noun.

For: operators, partners, and the demo. Never: an import at module level of `main` that would slow `--help`.
Keeps: an error is one paragraph on standard error with the remedy in it; its exit code is in the table of `exits`.
"""
