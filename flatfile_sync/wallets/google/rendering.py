"""Classes and objects from the templates of a pass type, with the ids that we give them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flatfile_sync.domain.project import PassType
from flatfile_sync.wallets.google.calls import Resource
from flatfile_sync.wallets.google.resources import NOTIFY, Thing
from flatfile_sync.wallets.platform import Parcel
from flatfile_sync.wallets.templates import rendering
from flatfile_sync.wallets.templates.rendering import ImageUrl
from flatfile_sync.wallets.templates.showing import Showing

RenderObject = Callable[[Parcel], Resource]
RenderClass = Callable[[PassType], Resource]
_HEADINGS: Final = ("issuerName", "programName")


def object_renderer(image_url: ImageUrl) -> RenderObject:
    """Return what renders a parcel's object; `image_url` says under which address Google fetches an image."""

    def render(parcel: Parcel) -> Resource:
        if parcel.pass_type is None:
            return {}
        return rendering.google_object(parcel.pass_type, showing(parcel), image_url=image_url).tree

    return render


def class_renderer(image_url: ImageUrl) -> RenderClass:
    """Return what renders a pass type's class."""
    return lambda pass_type: rendering.google_class(pass_type, image_url=image_url).tree


def showing(parcel: Parcel) -> Showing:
    """Return a parcel's pass as its template sees it; messages are no part of an object."""
    return Showing(
        pass_id=parcel.delivery.pass_id,
        pass_type=parcel.delivery.pass_type,
        status=parcel.status,
        revision=parcel.revision,
        expires_at=parcel.expires_at,
        identifiers=parcel.identifiers,
        document=parcel.document,
        marketing=parcel.marketing,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Ids below an issuer; `prefix` keeps one installation's apart from another's."""

    issuer: str
    prefix: str = ""

    def object_id(self, pass_id: str) -> str:
        """Return the id of a pass's object; ours has no other characters than Google takes."""
        return f"{self.issuer}.{self.prefix}{pass_id}"

    def class_id(self, project: str, pass_type: str) -> str:
        """Return the id of a pass type's class."""
        return f"{self.issuer}.{self.prefix}{project}.{pass_type}"

    def pass_id(self, object_id: str) -> str | None:
        """Return the pass of an object, None if it is none of ours."""
        start = f"{self.issuer}.{self.prefix}"
        return object_id[len(start) :] if object_id.startswith(start) and len(object_id) > len(start) else None


def object_thing(parcel: Parcel, *, names: Names, render: RenderObject) -> Thing | None:
    """Return a parcel's object, None if its pass type has none."""
    pass_type = parcel.pass_type
    if pass_type is None or not pass_type.google_type or not pass_type.google_object:
        return None
    resource = render(parcel)
    notify = resource.pop(NOTIFY, None) is not None
    named = {
        "id": names.object_id(parcel.delivery.pass_id),
        "classId": names.class_id(parcel.delivery.project, pass_type.name),
    }
    return Thing(kind=f"{pass_type.google_type}Object", id=named["id"], resource={**resource, **named}, notify=notify)


def class_thing(
    project: str, pass_type: PassType, *, names: Names, render: RenderClass, callback_url: str = ""
) -> Thing:
    """Return a pass type's class; `callback_url` is where Google tells who saved and who deleted."""
    resource = {key: value for key, value in render(pass_type).items() if key != NOTIFY}
    resource["id"] = names.class_id(project, pass_type.name)
    if callback_url:
        resource["callbackOptions"] = {"url": callback_url}
    return Thing(kind=f"{pass_type.google_type}Class", id=resource["id"], resource=resource)


def heading(object_tree: Mapping[str, Any], class_tree: Mapping[str, Any]) -> str:
    """Return what stands above a message: the issuer's name, or the card's title where a class has none."""
    for key in _HEADINGS:
        if class_tree.get(key):
            return str(class_tree[key])
    title = object_tree.get("cardTitle")
    default = title.get("defaultValue") if isinstance(title, Mapping) else None
    return str(default.get("value", "")) if isinstance(default, Mapping) else ""
