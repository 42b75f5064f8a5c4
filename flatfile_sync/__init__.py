"""Flat files over SFTP become wallet pass updates, and every row gets a result."""

__version__ = "0.1.0"
