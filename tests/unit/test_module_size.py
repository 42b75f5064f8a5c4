import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT = 500


def test_no_module_is_longer_than_500_lines():
    files = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    sizes = {name: len((ROOT / name).read_text().splitlines()) for name in files.split() if (ROOT / name).exists()}
    assert sizes
    assert {name: size for name, size in sizes.items() if size > LIMIT} == {}
