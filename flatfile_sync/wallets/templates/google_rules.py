"""What Google asks of classes and objects beyond their keys, and what it would take and then not show.

Source: the Google Wallet API's reference and its documented limits.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flatfile_sync.domain.spelling import did_you_mean
from flatfile_sync.domain.states import Purpose
from flatfile_sync.wallets.templates.checking import Finding, brief
from flatfile_sync.wallets.templates.google_keys import NOTIFY, shape
from flatfile_sync.wallets.templates.liquid import has_liquid
from flatfile_sync.wallets.templates.shapes import Table
from flatfile_sync.wallets.templates.showing import MESSAGE_NAMES
from flatfile_sync.wallets.templates.walking import Node, walk

_BALANCES: Final = ("string", "int", "double", "money")
_MODULES: Final = 10
_ID: Final = re.compile(r"[0-9]+\.[A-Za-z0-9._-]+")
_FIELD_PATH: Final = re.compile(r"(class|object)\.([A-Za-z]+)(?:\['([^']+)'\])?.*")
# Longer texts are cut on the screen: (table's key, key inside) -> characters.
_SHOWN: Final = {
    ("valueAddedModuleData", "header"): 60,
    ("valueAddedModuleData", "body"): 50,
    ("appLinkData", "displayText"): 30,
}


def document_findings(
    google_type: str, kind: str, tree: Mapping[str, Any], *, purposes: Mapping[str, Purpose]
) -> Iterator[Finding]:
    """Yield what is wrong or doubtful in a class or an object; `kind` is `Class` or `Object`."""
    table = shape(f"{google_type}{kind}")
    if NOTIFY in tree and NOTIFY in table.keys and NOTIFY not in purposes:
        yield Finding(
            NOTIFY,
            f'can notify, so `purposes` of pass_type.toml says why: {NOTIFY} = "{Purpose.TRANSACTIONAL}" or '
            f'"{Purpose.MARKETING}".',
        )
    for node in walk(tree, table):
        yield from _node_findings(node)
    yield from _notification_findings(tree)
    if "disableExpirationNotification" in tree and google_type != "offer":
        yield Finding("disableExpirationNotification", "works for offers only.", True)
    for key in ("textModulesData", "imageModulesData"):
        yield from _module_findings(key, tree.get(key))


def layout_findings(google_type: str, found: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the places of a class's layout that show nothing; `found` is the class, `shown` the object."""
    trees = {"class": found, "object": shown}
    for node in walk(found, shape(f"{google_type}Class")):
        if node.key != "fieldPath" or not isinstance(node.value, str):
            continue
        path = _FIELD_PATH.fullmatch(node.value)
        if path is None:
            yield Finding(node.path, f"found {brief(node.value)}, expected object.<key> or class.<key>.")
            continue
        keys = shape(f"{google_type}{path[1].title()}").keys
        if path[2] not in keys:
            yield Finding(node.path, f"{path[2]!r} is no key of the {path[1]}.{did_you_mean(path[2], list(keys))}")
        elif path[3] is not None:
            modules = trees[path[1]].get(path[2])
            ids = [str(module.get("id")) for module in modules or () if isinstance(module, dict)]
            if path[3] not in ids:
                yield Finding(node.path, f"no entry of {path[2]} has the id {path[3]!r}.{did_you_mean(path[3], ids)}")


def _node_findings(node: Node) -> Iterator[Finding]:
    value = node.value
    if node.path.endswith("oints.balance") and isinstance(value, dict) and isinstance(node.shape, Table):
        used = [key for key in _BALANCES if key in value]
        if len(used) != 1:
            yield Finding(node.path, f"found {' and '.join(used) or 'none'}, expected one of {', '.join(_BALANCES)}.")
    if isinstance(value, str) and has_liquid(value) and any(name in value for name in MESSAGE_NAMES):
        yield Finding(node.path, "a message goes to Google on its own, and is no part of the object.")
    if node.key in {"linkedObjectIds", "linkedOfferIds"} and isinstance(value, str):
        if "pass.id" in value and has_liquid(value):
            yield Finding(node.path, "links the pass to itself.")
        elif not has_liquid(value) and not _ID.fullmatch(value):
            yield Finding(node.path, f"found {value!r}, expected an id like 3388000000012345678.name.")
    yield from _length_findings(node)


def _length_findings(node: Node) -> Iterator[Finding]:
    owner = node.path.partition("[")[0].partition(".")[0]
    if node.key != "value" or not isinstance(node.value, str) or has_liquid(node.value):
        return
    for (table, key), most in _SHOWN.items():
        if owner == table and f".{key}." in node.path and len(node.value) > most:
            yield Finding(node.path, f"has {len(node.value)} characters, of which {most} are shown.", True)


def _notification_findings(tree: Mapping[str, Any]) -> Iterator[Finding]:
    found = tree.get("notifications")
    if isinstance(found, dict) and {"expiryNotification", "upcomingNotification"} <= found.keys():
        yield Finding("notifications", "has expiryNotification and upcomingNotification; Google takes one.")


def _module_findings(key: str, modules: Any) -> Iterator[Finding]:
    if not isinstance(modules, list):
        return
    if len(modules) > _MODULES:
        yield Finding(key, f"has {len(modules)} entries, of which Google shows {_MODULES}.", True)
    ids = Counter(str(module["id"]) for module in modules if isinstance(module, dict) and "id" in module)
    for name, count in ids.items():
        if count > 1:
            yield Finding(key, f"the id {name!r} stands {count} times; each may stand once.")
