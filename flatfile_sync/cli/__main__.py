"""`python -m flatfile_sync.cli`: the program where it is not installed."""

from flatfile_sync.cli.main import main

main()
