"""Addresses and networks in settings."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("an address or a network such as 10.0.0.0/8") from None
    return text


Network = Annotated[str, AfterValidator(_network)]
