"""Values as a wallet writes them: numbers, money, dates, in the holder's language."""

import re
from collections.abc import Mapping
from datetime import datetime
from html import unescape
from typing import Any, Final, Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import UnknownCurrencyError, format_currency, format_decimal, format_percent, format_scientific

Style = Literal["short", "medium", "long", "full"]
_MICROS: Final = 1_000_000
_TAG: Final = re.compile(r"<[^<>]*>")


def field_text(field: Mapping[str, Any], texts: Mapping[str, str], language: str) -> str:
    """Return what Wallet writes for the value of a field; `texts` are the translations of its language."""
    value = field.get("value", "")
    if isinstance(value, int | float):
        return _number(value, field, language)
    date, time = (_style(str(field.get(key, ""))) for key in ("dateStyle", "timeStyle"))
    if "dateStyle" in field or "timeStyle" in field:
        return moment_text(str(value), date, time, language)
    return texts.get(str(value), str(value))


def plain(html: str) -> str:
    """Return a text without its links."""
    return unescape(_TAG.sub("", html))


def money_text(money: Mapping[str, Any], language: str) -> str:
    """Return a Google money, whose amount is in micros."""
    try:
        amount = int(money.get("micros", 0)) / _MICROS
    except (TypeError, ValueError):
        return ""
    return _currency(amount, str(money.get("currencyCode", "")), language)


def moment_text(value: str, date: Style | None, time: Style | None, language: str) -> str:
    """Return a moment as a wallet writes it, and text that is none as it is."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    locale = _locale(language)
    # As the template's zone says it: a device would show its own.
    day = format_date(moment, date, locale=locale) if date else ""
    clock = format_time(moment, time, locale=locale, tzinfo=moment.tzinfo) if time else ""
    return ", ".join(part for part in (day, clock) if part) or format_datetime(moment, locale=locale)


def _number(value: float, field: Mapping[str, Any], language: str) -> str:
    if "currencyCode" in field:
        return _currency(value, str(field["currencyCode"]), language)
    try:
        return _styled(value, field.get("numberStyle"), _locale(language))
    except ArithmeticError:  # more digits than Babel counts with
        return f"{value}"


def _styled(value: float, style: Any, locale: Locale) -> str:
    if style == "PKNumberStylePercent":
        return format_percent(value, locale=locale)
    if style == "PKNumberStyleScientific":
        return format_scientific(value, locale=locale)
    return format_decimal(value, locale=locale) if style else f"{value}"


def _currency(amount: float, code: str, language: str) -> str:
    try:
        return format_currency(amount, code, locale=_locale(language))
    except (UnknownCurrencyError, ValueError, ArithmeticError):
        return f"{amount:,.2f} {code}"


def _style(word: str) -> Style | None:
    styles: dict[str, Style] = {
        "PKDateStyleShort": "short",
        "PKDateStyleMedium": "medium",
        "PKDateStyleLong": "long",
        "PKDateStyleFull": "full",
    }
    return styles.get(word)


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-" if "-" in language else "_")
    except (UnknownLocaleError, ValueError):
        return Locale("en")
