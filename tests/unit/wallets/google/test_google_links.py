import random
import string

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.failures import PermanentFailure, TemporaryFailure
from flatfile_sync.wallets.google.account import Source, service_account
from flatfile_sync.wallets.google.links import ADDRESS, LONGEST, Links
from flatfile_sync.wallets.google.resources import Thing
from tests import pass_types
from tests.google_double.account import service_account as made_account
from tests.google_double.answers import refusal
from tests.google_line import CLASS_ID, ISSUER, OBJECT_ID, card, line, parcel

INSERT, PATCH, GET = (f"{word} loyaltyObject" for word in ("insert", "patch", "get"))
SEATS = card(
    google_object=pass_types.OBJECT
    | {"textModulesData": [{"id": "seat", "header": "Seat", "body": "{{ additionalData.seat }}"}]}
)


def noise(length):
    """Return text that no encoding shortens."""
    return "".join(random.Random(length).choices(string.printable, k=length))  # noqa: S311 - no secret


def carried(url):
    token = url.removeprefix(ADDRESS)
    (found,) = jwt.decode(token, options={"verify_signature": False})["payload"]["loyaltyObjects"]
    return found


async def test_a_pass_that_is_not_at_google_travels_in_its_link_and_is_made_when_somebody_saves_it():
    async with line() as (double, found):
        link = await found.platform.save_link(parcel(1, installed=0))
        assert found.calls() == ["get loyaltyClass", "insert loyaltyClass"]
        assert double.wallet.objects() == {}
        assert double.saving.open(link.url) == [OBJECT_ID]
        assert double.wallet.objects()[OBJECT_ID]["loyaltyPoints"]["balance"] == {"int": 120}
        assert link.memory is not None
        assert "digest" not in link.memory
        await found.send(parcel(2, points=121, memory=link.memory))
        assert found.calls() == [GET, PATCH]


async def test_a_pass_whose_link_would_be_too_long_is_made_first_and_then_named():
    async with line() as (double, found):
        document = {"additionalData.points": 1, "additionalData.seat": noise(900)}
        link = await found.platform.save_link(parcel(1, installed=0, document=document, pass_type=SEATS))
        assert found.calls()[-1] == INSERT
        assert carried(link.url) == {"id": OBJECT_ID, "classId": CLASS_ID}
        assert double.saving.open(link.url) == [OBJECT_ID]
        again = await found.platform.save_link(
            parcel(1, installed=0, document=document, pass_type=SEATS, memory=link.memory)
        )
        assert (found.calls(), again.memory) == ([], None)
        assert carried(again.url) == carried(link.url)


async def test_a_pass_at_google_that_is_out_of_date_is_brought_up_to_date_before_it_is_named():
    async with line() as (double, found):
        await found.send(parcel(1, installed=0))
        found.calls()
        link = await found.platform.save_link(parcel(2, installed=0, points=5, memory=found.memories[1]))
        assert (found.calls(), carried(link.url)) == ([PATCH], {"id": OBJECT_ID, "classId": CLASS_ID})
        assert double.wallet.objects()[OBJECT_ID]["loyaltyPoints"]["balance"] == {"int": 5}


async def test_a_link_that_cannot_be_made_says_whether_to_ask_again():
    async with line() as (double, found):
        with pytest.raises(PermanentFailure, match="no Google template"):
            await found.platform.save_link(
                parcel(1, pass_type=pass_types.made(pass_types.APPLE, None, None, google_type=""))
            )
        double.wallet.script["get loyaltyClass"].append(refusal(503, "backendError", "down").answer)
        with pytest.raises(TemporaryFailure, match="503 backendError"):
            await found.platform.save_link(parcel(1, installed=0))
        double.wallet.script[INSERT].append(refusal(400, "invalid", "no").answer)
        document = {"additionalData.points": 1, "additionalData.seat": noise(900)}
        with pytest.raises(PermanentFailure, match="invalid"):
            await found.platform.save_link(parcel(1, installed=0, document=document, pass_type=SEATS))
        double.wallet.rules.stranger = True
        with pytest.raises(TemporaryFailure, match="403 permissionDenied"):
            await found.platform.save_link(parcel(1, installed=0, document=document, pass_type=SEATS))


LINKS = Links(service_account(Source("x", made_account().file("https://localhost/token"))), clock=utc_now)


@given(
    text=st.text(max_size=1500),
    pass_id=st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=128),
    project=st.text(string.ascii_lowercase + "_-", min_size=1, max_size=60),
)
def test_no_link_is_longer_than_what_browsers_keep(text, pass_id, project):
    """A whole object stays under the limit or is not offered; one that is only named always does."""
    named = {"id": f"{ISSUER}.{pass_id}", "classId": f"{ISSUER}.{project}.card"}
    resource = {**named, "state": "ACTIVE", "accountName": text}
    thing = Thing(kind="loyaltyObject", id=named["id"], resource=resource)
    whole, skinny = LINKS.whole(thing), LINKS.skinny(thing)
    assert len(skinny.removeprefix(ADDRESS)) < LONGEST
    assert carried(skinny) == named
    if whole is not None:
        assert len(whole.removeprefix(ADDRESS)) < LONGEST
        assert carried(whole) == resource


def test_the_claims_are_those_that_google_asks_for():
    thing = Thing(kind="loyaltyObject", id="1.a", resource={"id": "1.a", "classId": "1.c", "state": "ACTIVE"})
    links = Links(LINKS._account, clock=utc_now, origins=("https://www.example.com",))
    token = links.skinny(thing).removeprefix(ADDRESS)
    claims = jwt.decode(token, LINKS._account.key.public_key(), algorithms=["RS256"], audience="google")
    assert (claims["typ"], claims["iss"], claims["origins"]) == (
        "savetowallet",
        LINKS._account.email,
        ["https://www.example.com"],
    )
    assert jwt.get_unverified_header(token)["alg"] == "RS256"
