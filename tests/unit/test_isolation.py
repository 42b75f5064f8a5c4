import asyncio
import socket

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("2001:db8::1", 443), ("example.org", 80)])
def test_no_test_can_reach_beyond_this_machine(address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(ConnectionRefusedError, match="this machine only"):
        sock.connect(address)


async def test_nor_can_one_that_is_asynchronous():
    with pytest.raises(ConnectionRefusedError, match="this machine only"):
        await asyncio.open_connection("192.0.2.1", 443)


async def test_this_machine_can_be_reached():
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
