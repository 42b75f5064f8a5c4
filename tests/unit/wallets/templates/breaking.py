"""Folders of a pass type with one thing wrong in them."""

import base64

from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.pass_types import APPLE, CLASS, OBJECT, folder, with_

POINTS = ("storeCard", "headerFields", 0)
NEWS = ("storeCard", "backFields", 0)
SHOP = ("storeCard", "backFields", 1)
TIER = ("storeCard", "secondaryFields", 0)
PLACE = {"latitude": 48.85, "longitude": 2.35}


def public_key(curve):
    key = generate_private_key(curve).public_key()
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def apple(path, value):
    return folder(with_(APPLE, path, value))


def class_(path, value):
    return folder(google_class=with_(CLASS, path, value))


def object_(path, value):
    return folder(google_object=with_(OBJECT, path, value))
