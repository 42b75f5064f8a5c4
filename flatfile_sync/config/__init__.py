"""Settings and project definitions: files and environment to frozen objects.

For: `daemon` and `cli`. Never: a default that is not written in the generated example.
Keeps: every error names file, key path, value found, values allowed and, for a misspelt key, the likely one.
"""
