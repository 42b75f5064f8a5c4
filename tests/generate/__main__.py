"""`make generate`: rewrite what is generated and say what changed."""

import logging

import structlog

from tests.generate import artwork, google_keys, readme, samples, schemas


def main() -> None:
    """Write every generated file whose bytes differ."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    # The samples first: the example in README.md is made from them.
    for part in (artwork, google_keys, samples, schemas, readme):
        for path, data in part.files().items():
            if not path.is_file() or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                print(f"written: {path.name}")


main()
