"""`passes render`: one pass as a platform gets it, in files, and a picture for people who would rather look."""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from flatfile_sync.cli.opening import AsJson, Place, opened
from flatfile_sync.cli.output import print_json
from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.failures import Refused
from flatfile_sync.domain.states import Platform

if TYPE_CHECKING:
    from flatfile_sync.domain.project import PassType
    from flatfile_sync.store.passes import PassRow
    from flatfile_sync.wallets.apple.making import ReadImage
    from flatfile_sync.wallets.templates.rendering import ImageUrl
    from flatfile_sync.wallets.templates.showing import Showing

# Whatever a pass shows is somebody's.
_MODE = 0o600
_FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What is rendered, and where its images are: those of the project as it is now, and those of the daemon."""

    row: "PassRow"
    pass_type: "PassType"
    shown: "Showing"
    image: "ReadImage"


class _Written:
    """The files that were made, and what there is to say about them."""

    def __init__(self, folder: Path, pass_id: str) -> None:
        self._folder, self._stem = folder, pass_id
        self.files: list[Path] = []
        self.signed = False
        self.lost: list[str] = []
        self.notes: list[str] = []

    def put(self, name: str, data: bytes) -> None:
        """Write a file whose name begins with the pass's id."""
        path = self._folder / f"{self._stem}{name}"
        path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        path.touch(mode=_MODE)
        path.write_bytes(data)
        self.files.append(path)


def command(
    ctx: typer.Context,
    pass_id: Annotated[str, typer.Argument(metavar="ID", help="The pass's own id.")],
    *,
    platform: Annotated[Platform, typer.Option(help="Whose pass to render.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go.", file_okay=False)] = Path(),
    language: Annotated[str, typer.Option(metavar="LANG", help="The language of the picture, if not the first.")] = "",
    message: Annotated[str, typer.Option(metavar="TEXT", help="Show this message as the last one.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write one pass as a platform gets it, and a picture of it.

    For Apple a .pkpass, signed if the settings name a certificate, else the files that would be signed; for Google the
    class and the object as JSON. Nothing is sent and nothing is stored. The files hold personal values.
    """
    with opened(ctx) as place:
        subject = _look_up(place, pass_id, platform)
        if message:
            from flatfile_sync.wallets.templates.showing import Message

            subject = replace(subject, shown=replace(subject.shown, message=Message({"": message})))
        written = _Written(out, pass_id)
        write = _apple if platform is Platform.APPLE else _google
        write(place, subject, written, language=language or subject.pass_type.fallback_language)
    if as_json:
        told = {"id": pass_id, "platform": platform.value, "signed": written.signed}
        files = [str(path) for path in written.files]
        print_json(told | {"files": files, "lost": written.lost, "notes": written.notes})
        return
    for path in written.files:
        print(path)
    for note in written.notes:
        print(note)
    for key_path in written.lost:
        print(f"Not as the pass's values say: {key_path}")


def _look_up(place: Place, pass_id: str, platform: Platform) -> _Subject:
    from flatfile_sync.daemon.wiring import IMAGES
    from flatfile_sync.pipeline.showing import showing
    from flatfile_sync.spool.images import Images
    from flatfile_sync.store import passes

    now: dict[str, bytes] = {}
    kept = Images(place.settings.data_folder / IMAGES)

    def image(digest: str) -> bytes | None:
        return now.get(digest) or kept.get(digest)

    with place.store.snapshot() as conn:
        row = passes.by_id(conn, pass_id)
        if row is None:
            raise Refused(f"There is no pass {pass_id!r}; `passes find KIND=VALUE` looks by an identifier.")
        project = place.project(row.project, keep_image=lambda data: now.update({sha256(data).hexdigest(): data}))
        pass_type = project.pass_type(row.pass_type)
        if pass_type is None or platform.value not in pass_type.platforms:
            raise Refused(f"The pass type {row.pass_type!r} has no template for {platform.value}.")
        return _Subject(row=row, pass_type=pass_type, shown=showing(conn, row, project), image=image)


def _apple(place: Place, subject: _Subject, written: _Written, *, language: str) -> None:
    from flatfile_sync.daemon.apple import open_certificate, token_keys
    from flatfile_sync.store import memories
    from flatfile_sync.wallets.apple.issuing import Issuer
    from flatfile_sync.wallets.apple.making import Maker
    from flatfile_sync.wallets.apple.tokens import KEY_ID
    from flatfile_sync.wallets.preview.apple import draw_pass
    from flatfile_sync.wallets.templates.rendering import apple_strings

    row, pass_type, shown, settings = subject.row, subject.pass_type, subject.shown, place.settings.apple
    if settings.configured:
        issuer = Issuer(
            certificate=open_certificate(settings, clock=utc_now),
            tokens=token_keys(settings),
            web_service_url=settings.web_service_url,
            image=subject.image,
        )
        with place.store.snapshot() as conn:
            memory = memories.of_passes(conn, Platform.APPLE.value, [row.no]).get(row.no, {})
        content = issuer.make(pass_type, shown, key_id=memory.get(KEY_ID) or issuer.tokens.issue(row.id).key_id)
        written.put(".pkpass", issuer.sign(content))
        written.signed = True
    else:
        content = Maker(subject.image).make(pass_type, shown, {"serialNumber": row.id})
        written.put(".pass/pass.json", content.pass_json)
        for file in content.files:
            written.put(f".pass/{file.path}", file.data)
        written.notes.append("Apple is not configured ([apple] certificate_file), so nothing is signed.")
    pictures = {file.path: file.data for file in content.files}
    texts = apple_strings(pass_type, shown).get(language, {})
    written.put(".apple.png", draw_pass(orjson.loads(content.pass_json), pictures, texts, language=language))
    written.lost += content.lost


def _google(place: Place, subject: _Subject, written: _Written, *, language: str) -> None:
    from flatfile_sync.wallets.google.rendering import Names
    from flatfile_sync.wallets.preview.google import draw_object
    from flatfile_sync.wallets.templates.images import IMAGE
    from flatfile_sync.wallets.templates.rendering import google_class, google_object

    row, settings, public_url = subject.row, place.settings.google, place.settings.web.public_url
    named = _named(subject.image, public_url)
    of_class = google_class(subject.pass_type, image_url=named)
    of_object = google_object(subject.pass_type, subject.shown, image_url=named)
    classes, objects = of_class.tree, of_object.tree
    if settings.configured:
        names = Names(issuer=settings.issuer_id, prefix=settings.id_prefix)
        classes["id"] = objects["classId"] = names.class_id(row.project, row.pass_type)
        objects["id"] = names.object_id(row.id)
    else:
        written.notes.append("Google is not configured ([google] issuer_id), so class and object have no ids.")
    both = {"class": classes, "object": objects}
    written.put(".google.json", orjson.dumps(both, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    def find(uri: str) -> bytes | None:
        return subject.image(uri.removeprefix(IMAGE).rpartition("/")[2])

    written.put(".google.png", draw_object(classes, objects, find, language=language))
    written.lost += [*of_class.lost, *of_object.lost]


def _named(image: "ReadImage", public_url: str) -> "ImageUrl":
    """Return where Google fetches an image that is there; without a public address it is named by its digest."""
    place = f"{public_url}/images/" if public_url else "image:"
    return lambda digest: f"{place}{digest}" if image(digest) is not None else None
