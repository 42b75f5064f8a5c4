"""The shape that a platform wants a JSON document to have: closed tables of keys, lists, and single values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Kind(StrEnum):
    """What a single value is."""

    TEXT = "text"
    HTML = "html"  # text with links, `<a href="...">...</a>`, and no other markup
    CODE = "code"  # what a scanner reads: exactly as it is, or not at all
    BOOLEAN = "boolean"
    NUMBER = "number"
    INT32 = "int32"  # an integer that fits into 32 bits with its sign
    INT64 = "int64"  # an integer of 64 bits, written as text
    COUNT = "count"  # an integer from 0 on
    MOMENT = "moment"  # ISO 8601; at least a date
    COLOUR = "colour"  # rgb(1, 2, 3)
    HEX_COLOUR = "hex_colour"  # #rrggbb
    URL = "url"  # https, to a host that the project allows
    LINK = "link"  # a URL as above, or mailto, tel, sms, geo
    APP = "app"  # a URL that opens an app, of whatever scheme but http
    PICTURE = "picture"  # image:<file of the folder> or image:<sha256>, or a URL as above
    FIELD_VALUE = "field_value"  # text, number or moment, as the format keys beside it say
    ANY = "any"  # any JSON


@dataclass(frozen=True, slots=True)
class Value:
    """A single value. `allowed` lists the words it may be, all of type text; `most` is a limit in bytes of UTF-8."""

    kind: Kind = Kind.TEXT
    allowed: tuple[str, ...] = ()
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Many:
    """A list; more than `most` entries are refused."""

    item: "Shape"
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An object with these keys and no others; `refused` says of known keys why a template must not hold them."""

    keys: "Mapping[str, Shape]"
    required: tuple[str, ...] = ()
    refused: Mapping[str, str] | None = None


Shape: TypeAlias = Value | Many | Table
