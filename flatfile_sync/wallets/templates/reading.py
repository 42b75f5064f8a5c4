"""The folder of a pass type to a `PassType`, with everything that is wrong with it: `domain.templates.ReadPassType`."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from flatfile_sync.domain.project import DataModel, PassType
from flatfile_sync.domain.spelling import did_you_mean
from flatfile_sync.domain.templates import PassTypeFolder, Remark
from flatfile_sync.wallets.templates import apple_keys, apple_rules, google_keys, google_rules
from flatfile_sync.wallets.templates.checking import Allowed, Finding, text_findings, tree_findings
from flatfile_sync.wallets.templates.images import ROLES, SHOWN_BY, png_problem, role
from flatfile_sync.wallets.templates.showing import known_names
from flatfile_sync.wallets.templates.shown import shown_keys
from flatfile_sync.wallets.templates.strings import StringsError, read_strings

DECLARATION: Final = "pass_type.toml"
APPLE: Final = "apple.json"
CLASS: Final = "google_class.json"
OBJECT: Final = "google_object.json"
_DOCUMENTS: Final = (APPLE, CLASS, OBJECT)
_LPROJ: Final = re.compile(r"([A-Za-z]{2,3}(?:-[A-Za-z0-9]+)*)\.lproj/([^/]+)")
_STRINGS: Final = "pass.strings"
_IMAGES: Final = "images/"


@dataclass(slots=True)
class _Found:
    """What the files of a folder hold, and what was to say about them."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    strings: dict[str, dict[str, str]] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    def say(self, file: str, findings: Iterable[Finding]) -> None:
        self.remarks += [Remark(file, *finding) for finding in findings]


def read_pass_type(
    folder: PassTypeFolder, *, model: DataModel, url_hosts: tuple[str, ...], timezone: str
) -> tuple[PassType, list[Remark]]:
    """Return the pass type, which counts only if no remark is an error, and the remarks."""
    found = _Found()
    for path, data in sorted(folder.files.items()):
        _read_file(found, path, data, folder)
    allowed = Allowed(names=known_names(model), hosts=url_hosts, images=sorted(found.images))
    found.say(DECLARATION, _declaration_findings(folder, found, model, allowed))
    found.say(APPLE, _apple_findings(folder, found, allowed))
    _check_google(folder, found, allowed)
    return _made(folder, found, url_hosts, timezone), found.remarks


def _made(folder: PassTypeFolder, found: _Found, url_hosts: tuple[str, ...], timezone: str) -> PassType:
    documents = {name: orjson.dumps(tree, option=orjson.OPT_SORT_KEYS).decode() for name, tree in _sane(found)}
    apple, google_class, google_object = (documents.get(name, "") for name in _DOCUMENTS)
    shown = {
        "apple": shown_keys([apple] if apple else (), folder.images.values()),
        "google": shown_keys([google_object] if google_object else ()),
    }
    offered = {"apple": APPLE in found.documents, "google": {CLASS, OBJECT} & found.documents.keys()}
    platforms = tuple(name for name, there in offered.items() if there)
    return PassType(
        name=folder.name,
        style=apple_rules.style_of(found.documents.get(APPLE, {})),
        google_type=folder.google_type if offered["google"] else "",
        platforms=platforms,
        apple=apple,
        google_class=google_class,
        google_object=google_object,
        strings=tuple((name, tuple(texts.items())) for name, texts in found.strings.items()),
        files=tuple(sorted(found.images.items())),
        images=tuple(sorted(folder.images.items())),
        shown=tuple((name, shown[name]) for name in platforms),
        carrier=folder.carrier,
        purposes=tuple(sorted(folder.purposes.items())),
        required_identifiers=folder.required_identifiers,
        languages=folder.languages,
        fallback_language=folder.fallback_language,
        timezone=timezone,
        url_hosts=url_hosts,
    )


def _sane(found: _Found) -> Iterator[tuple[str, Any]]:
    """Yield the documents that can be written as they were read; of the others something was said."""
    for name, tree in found.documents.items():
        try:
            orjson.dumps(tree)
        except (TypeError, orjson.JSONEncodeError):
            found.remarks.append(Remark(name, "", "has a number that no platform reads."))
        else:
            yield name, tree


def _read_file(found: _Found, path: str, data: bytes, folder: PassTypeFolder) -> None:
    """Take in one file of the folder."""
    localised = _LPROJ.fullmatch(path)
    if path in _DOCUMENTS:
        _read_document(found, path, data)
    elif path == DECLARATION:
        return
    elif path.startswith(_IMAGES) or (localised and role(path)):
        problem = png_problem(data)
        if problem is not None:
            found.remarks.append(Remark(path, "", problem))
        found.images[path.removeprefix(_IMAGES)] = hashlib.sha256(data).hexdigest()
    elif localised and localised[2] == _STRINGS:
        try:
            found.strings[localised[1]] = read_strings(data)
        except StringsError as error:
            found.remarks.append(Remark(path, "", str(error)))
    else:
        known = [*_DOCUMENTS, DECLARATION, f"{_IMAGES}icon.png", f"{folder.fallback_language}.lproj/{_STRINGS}"]
        found.remarks.append(Remark(path, "", f"is no file of a pass type.{did_you_mean(path, known)}"))


def _read_document(found: _Found, path: str, data: bytes) -> None:
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice.extend(sorted({key for key in keys if keys.count(key) > 1}))
        return dict(pairs)

    try:
        tree = json.loads(data, object_pairs_hook=once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        found.remarks.append(Remark(path, "", f"cannot be read: {error}"))
        return
    found.remarks += [Remark(path, key, "stands twice in one object.") for key in twice]
    if isinstance(tree, dict):
        found.documents[path] = tree
    else:
        found.remarks.append(Remark(path, "", f"found {type(tree).__name__}, expected an object."))


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _declaration_findings(
    folder: PassTypeFolder, found: _Found, model: DataModel, allowed: Allowed
) -> Iterator[Finding]:
    """Yield what in `pass_type.toml` does not fit the rest of the folder."""
    if not any(name in folder.files for name in _DOCUMENTS):
        yield Finding("", f"the folder has neither {APPLE} nor {CLASS} and {OBJECT}.")
    google = CLASS in folder.files or OBJECT in folder.files
    if google and folder.google_type not in google_keys.TYPES:
        told = f"found {folder.google_type!r}" if folder.google_type else "is missing"
        guess = did_you_mean(folder.google_type, google_keys.TYPES)
        yield Finding("google_type", f"{told}, expected one of {', '.join(google_keys.TYPES)}.{guess}")
    if folder.google_type and not google:
        yield Finding("google_type", f"found {folder.google_type!r}, but there is no {OBJECT}.")
    notifying = _notifying(found)
    for name in folder.purposes:
        if name not in notifying:
            yield Finding(f"purposes.{name}", f"names nothing that can notify.{did_you_mean(name, notifying)}")
    if folder.carrier in folder.purposes:
        yield Finding(f"purposes.{folder.carrier}", "is the field that carries messages; each has its own purpose.")
    kinds = [kind.name for kind in model.identifiers]
    for place, name in enumerate(folder.required_identifiers):
        if name not in kinds:
            path = f"required_identifiers[{place}]"
            yield Finding(path, f"{name!r} is no identifier of the data model.{did_you_mean(name, kinds)}")
    if folder.languages and folder.fallback_language not in folder.languages:
        yield Finding("fallback_language", f"found {folder.fallback_language!r}, which is not among `languages`.")
    yield from _language_findings(folder, found)
    yield from _image_findings(folder, found, allowed)


def _notifying(found: _Found) -> list[str]:
    fields = apple_rules.notifying_fields(apple_rules.entries(found.documents.get(APPLE, {})))
    notice = any(google_keys.NOTIFY in found.documents.get(name, {}) for name in (CLASS, OBJECT))
    return [*(entry.key for entry in fields), *([google_keys.NOTIFY] if notice else [])]


def _language_findings(folder: PassTypeFolder, found: _Found) -> Iterator[Finding]:
    there = {match[1] for path in folder.files if (match := _LPROJ.fullmatch(path))}
    for language in sorted(there - set(folder.languages)):
        yield Finding("languages", f"lacks {language!r}, for which there is a folder {language}.lproj.")
    keys = {key for texts in found.strings.values() for key in texts}
    for language, texts in found.strings.items():
        for key in sorted(keys - texts.keys()):
            yield Finding("languages", f"{language}.lproj/{_STRINGS} has no text for {key!r}.", True)


def _image_findings(folder: PassTypeFolder, found: _Found, allowed: Allowed) -> Iterator[Finding]:
    for name, source in folder.images.items():
        path = f"images.{name}"
        if name not in ROLES:
            yield Finding(path, f"is no image of an Apple pass.{did_you_mean(name, ROLES)}")
        yield from text_findings(path, source, allowed=allowed)
    style = apple_rules.style_of(found.documents.get(APPLE, {}))
    if not style:
        return
    used = {*folder.images, *(part for path in found.images if (part := role(path)))}
    for name in sorted((used & set(ROLES)) - SHOWN_BY[style]):
        yield Finding("images", f"{name} is not shown by {style}, and travels in every pass.", True)
    if style == "eventTicket" and "strip" in used and used & {"background", "thumbnail"}:
        yield Finding("images", "has a strip beside a background or thumbnail; Wallet shows the strip only.", True)


def _apple_findings(folder: PassTypeFolder, found: _Found, allowed: Allowed) -> Iterator[Finding]:
    tree = found.documents.get(APPLE)
    if tree is None:
        if folder.carrier and APPLE not in folder.files:
            yield Finding("", f"is missing, and `carrier` names a field of it: {folder.carrier!r}.")
        return
    yield from tree_findings(tree, apple_keys.PASS, allowed=allowed)
    yield from apple_rules.pass_findings(
        tree, carrier=folder.carrier, purposes=folder.purposes, languages=found.strings
    )
    if "icon.png" not in found.images:
        yield Finding("", "has no image images/icon.png, and without it no device opens the pass.")


def _check_google(folder: PassTypeFolder, found: _Found, allowed: Allowed) -> None:
    there = [name for name in (CLASS, OBJECT) if name in folder.files]
    for name in {CLASS, OBJECT} - set(there) if there else ():
        found.remarks.append(Remark(name, "", f"is missing beside {there[0]}."))
    if folder.google_type not in google_keys.TYPES:
        return
    # A class is the same for all its passes, so Liquid is not for it.
    places = {"Class": (CLASS, Allowed(hosts=allowed.hosts, images=allowed.images)), "Object": (OBJECT, allowed)}
    for kind, (name, may) in places.items():
        tree = found.documents.get(name)
        if tree is not None:
            found.say(name, tree_findings(tree, google_keys.shape(f"{folder.google_type}{kind}"), allowed=may))
            found.say(name, google_rules.document_findings(folder.google_type, kind, tree, purposes=folder.purposes))
    classes, objects = (found.documents.get(name, {}) for name in (CLASS, OBJECT))
    found.say(CLASS, google_rules.layout_findings(folder.google_type, classes, objects))
