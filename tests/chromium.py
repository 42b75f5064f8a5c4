"""Debian's Chromium without a window: what a page becomes once a browser has laid it out."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed; `apt-get install chromium` brings it."
)
_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    # No name is looked up anywhere, and nothing is asked of anybody but this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Seen(NamedTuple):
    """A picture of a page, its document as text, and what the browser had to complain about."""

    picture: Image.Image
    document: str
    complaints: list[str]


async def look(url: str, *, width: int, height: int, agent: str, dark: bool = False) -> Seen:
    """Open a page; 500 is the narrowest window that Chromium makes."""
    with tempfile.TemporaryDirectory(prefix="chromium-") as name:
        folder = Path(name)
        picture = folder / "page.png"
        options = [
            *_QUIET,
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},{height}",
            f"--user-agent={agent}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        ]
        _, told = await _run(*options, f"--screenshot={picture}", url)
        document, _ = await _run(*options, "--dump-dom", url)
        with Image.open(picture) as image:
            return Seen(image.convert("RGB"), document, [line for line in told.splitlines() if "CONSOLE" in line])


async def _run(*arguments: str) -> tuple[str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(CHROMIUM, *arguments, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(90):
        out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()[-2000:]
    return out.decode(), errors.decode(errors="replace")
