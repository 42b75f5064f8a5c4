"""What a test needs of the machine, and how to get it."""

import pytest

from tests.apple_oracle import OPENSSL

needs_openssl = pytest.mark.skipif(
    OPENSSL is None, reason="openssl is not installed; `apt-get install openssl` brings it"
)
