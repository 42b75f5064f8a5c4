import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatfile_sync.domain.addresses import parse
from flatfile_sync.sftp.proxying import SIGNATURE, read


def binary(client=b"\xcb\0\x71\x07", *, command=0x21, family=0x11, more=b"", server=b"\x7f\0\0\1"):
    body = client + server + b"\x30\x39\0\x16" + more
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


SIX = b" \x01\r\xb8" + bytes(11) + b"\x05"


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 22\r\n", "203.0.113.7"),
        (b"PROXY TCP6 2001:db8::5 2001:db8::1 56324 22\r\n", "2001:db8::5"),
        (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n", "203.0.113.7"),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
        (binary(), "203.0.113.7"),
        (binary(more=b"\x04\0\x03abc"), "203.0.113.7"),
        (binary(b" \x01\r\xb8" + bytes(11) + b"\x05", family=0x21, server=bytes(16)), "2001:db8::5"),
        (binary(command=0x20, family=0), None),
    ],
)
def test_a_header_says_whom_a_proxy_speaks_for(header, client):
    """Both versions and families; what follows the header is not looked at, and no part of it is enough."""
    found = read(header + b"SSH-2.0-x\r\n")
    assert found == (len(header), parse(client) if client else None)
    assert all(read(header[:end]) is None for end in range(len(header)))


@pytest.mark.parametrize(
    "header",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 56324\r\n",
        b"PROXY TCP4 2001:db8::5 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 1 65536\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 1 -2\r\n",
        b"PROXY TCP5 203.0.113.7 192.0.2.1 1 2\r\n",
        b"PROXY \xff\r\n",
        b"PROXY TCP4 " + b"1" * 200,
        binary(command=0x11),
        binary(command=0x22),
        binary(family=0x12),
        binary(b"", server=b""),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_what_is_no_header_is_an_error(header):
    """A client that reaches us around the proxy, or a proxy that is none, is found out."""
    with pytest.raises(ValueError, match=r"."):
        read(header)


@given(st.binary(max_size=300), st.sampled_from([b"", b"PROXY ", SIGNATURE, SIGNATURE + b"\x21\x11"]))
def test_no_bytes_do_anything_else_than_be_read_or_refused(data, begin):
    """Whatever comes, the answer is a header, not yet, or ValueError."""
    try:
        found = read(begin + data)
    except ValueError:
        return
    assert found is None or found.length <= len(begin + data)
