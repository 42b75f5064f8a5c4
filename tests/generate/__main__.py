"""`make generate`: rewrite what is generated and say what changed."""

from tests.generate import samples


def main() -> None:
    """Write every generated file whose bytes differ."""
    for path, data in samples.files().items():
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            print(f"written: {path.name}")


main()
