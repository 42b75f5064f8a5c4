"""From a partner's file to a holder's phone, through the doors only: SFTP in, Apple and Google out, the report back."""

import csv
import io

import pytest

from flatfile_sync.daemon.link_key import linker
from flatfile_sync.domain.clock import utc_now
from flatfile_sync.pipeline.linking import link
from flatfile_sync.store import passes
from tests.daemon import Daemon
from tests.wallets import World

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/604.1"
ENROL = "id.memberId,id.customerEmail,additionalData.points,additionalData.tier\nM000001,ana@mail.example,10,Silver\n"


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "world") as found:
        yield found


@pytest.fixture
def daemon(world, prepared_folder, tmp_path):
    found = Daemon(prepared_folder, tmp_path / "daemon", settings=world.environment())
    found.start()
    yield found
    found.stop()


def drop(daemon, tmp_path, name, text, *, settled=True):
    """Drop a file over SFTP and return its result set, with the delivery report if one is due."""
    file = tmp_path / name
    file.write_text(text)
    with daemon.partner() as partner:
        sent = partner.put(file, "/inbox")
        stem = sent.ack(timeout=30)["stem"]
        return sent.result_set(stem, last="delivery.json" if settled else "summary.json", timeout=60)


def delivered(daemon, world, tmp_path, name, text):
    """Drop a file, let pushes wake the phones until its deliveries are over, and return the rows of `.delivery.csv`."""
    file = tmp_path / name
    file.write_text(text)
    with daemon.partner() as partner:
        sent = partner.put(file, "/inbox")
        stem = sent.ack(timeout=30)["stem"]
        wanted = f"/outbox/{stem}.delivery.csv"

        def there():
            world.push()
            return wanted.rpartition("/")[2] in partner.sftp.listdir("/outbox")

        daemon.until(there)
        data = partner.sftp.open(wanted).read().decode()
    return list(csv.DictReader(io.StringIO(data)))


def row_of(daemon, member="M000001"):
    store = daemon.store()
    try:
        (row,) = store.read_now(lambda conn: passes.find(conn, "loyalty", "memberId", member))
    finally:
        store.close()
    return row


def link_to(daemon, row):
    """Return the address of a new link to a pass, as a partner gets it."""
    store = daemon.store()
    try:
        made = linker(daemon.settings)
        url, _ = store.write_now(lambda conn: link(conn, [row.id], linker=made, now=utc_now()))
    finally:
        store.close()
    return url


def add_to_phone(daemon, world, row, **settings):
    """Follow a link on an iPhone, put the pass into its wallet and return the phone."""
    url = link_to(daemon, row)
    with world.client(headers={"User-Agent": IPHONE}) as browser:
        page = browser.get(url)
        assert page.status_code == 200
        assert "pass.pkpass" in page.text
        file = browser.get(f"{url}/pass.pkpass")
        assert file.headers["Content-Type"] == "application/vnd.apple.pkpass"
    phone = world.device(**settings)
    world.call(phone.add(file.content))
    assert phone.faults == []
    return phone


def save_to_google(daemon, world, row):
    """Follow a link on an Android phone and save the pass; Google calls back. Returns the object's id."""
    url = link_to(daemon, row)
    with world.client() as browser:
        saved = browser.get(f"{url}/google/0")
        assert saved.status_code in {302, 303, 307}
    (object_id,) = world.google.saving.open(saved.headers["Location"])
    world.google.wallet.saved(object_id)
    assert world.call_back(object_id, "save")
    daemon.until(lambda: row_of(daemon).google == 1)
    return object_id


def test_new_points_reach_the_phone_and_google_and_the_report_says_so(daemon, world, tmp_path):
    drop(daemon, tmp_path, "enrol.csv", ENROL, settled=False)
    row = row_of(daemon)
    phone = add_to_phone(daemon, world, row)
    object_id = save_to_google(daemon, world, row)
    assert phone.wallet[row.id].fields()["points"]["value"] == 10
    (told,) = delivered(daemon, world, tmp_path, "members-1.csv", "id.memberId,additionalData.points\nM000001,75\n")
    assert (told["_apple"], told["_google"]) == ("fetched", "sent")
    assert phone.wallet[row.id].fields()["points"]["value"] == 75
    assert phone.shown == ["You now have 75 points."]
    assert world.google.wallet.objects()[object_id]["loyaltyPoints"]["balance"] == {"int": 75}
    assert (phone.faults, phone.posted, world.apns.complaints, world.google.wallet.complaints) == ([], [], [], [])

    pushes, calls = len(world.apns.requests), len(world.google.wallet.calls)
    again = drop(daemon, tmp_path, "members-2.csv", "id.memberId,additionalData.points\nM000001,75\n", settled=False)
    assert again.summary["verdict"] == "duplicate"
    assert (len(world.apns.requests), len(world.google.wallet.calls)) == (pushes, calls)


CAMPAIGN = "id.memberId,notification.message,consent.marketing,consent.marketing.at\n"


def test_a_message_is_on_the_lock_screen_of_who_agreed_and_nowhere_before(daemon, world, tmp_path):
    drop(daemon, tmp_path, "enrol.csv", ENROL, settled=False)
    row = row_of(daemon)
    phone = add_to_phone(daemon, world, row)
    refused = CAMPAIGN + "M000001,Nobody asked,opt-out,2026-07-01T00:00:00Z\n"
    withheld = drop(daemon, tmp_path, "campaign-0.csv", refused, settled=False)
    assert [entry["_notification"] for entry in withheld.table("result.csv")] == ["no_consent"]
    for number in (1, 2):
        text = CAMPAIGN + f"M000001,Twice the points,opt-in,2026-07-0{number + 1}T00:00:00Z\n"
        (told,) = delivered(daemon, world, tmp_path, f"campaign-{number}.csv", text)
        assert told["_notification"] == "fetched"
    # What nobody sees makes an equal text another one, so that it notifies again.
    assert [text.strip("\u200b") for text in phone.shown] == ["Twice the points"] * 2
    assert "Nobody asked" not in str(phone.wallet[row.id].told)


def test_google_has_the_classes_before_anybody_saves_a_pass(daemon, world):
    daemon.until(lambda: len(world.google.wallet.resources["loyaltyClass"]) == 1)
    (found,) = world.google.wallet.resources["loyaltyClass"].values()
    assert found["id"].endswith(".loyalty.loyalty_card")
    assert world.google.wallet.complaints == []


def test_the_fourth_message_of_a_day_comes_without_a_sound(daemon, world, tmp_path):
    drop(daemon, tmp_path, "enrol.csv", ENROL, settled=False)
    object_id = save_to_google(daemon, world, row_of(daemon))
    words = []
    for number in range(1, 5):
        text = CAMPAIGN + f"M000001,Offer {number},opt-in,2026-07-0{number + 1}T00:00:00Z\n"
        (told,) = delivered(daemon, world, tmp_path, f"campaign-{number}.csv", text)
        words.append(told["_notification"])
    assert words == ["sent", "sent", "sent", "quota_downgraded"]
    assert world.google.wallet.shown[object_id] == ["Offer 1", "Offer 2", "Offer 3"]
    messages = world.google.wallet.objects()[object_id]["messages"]
    assert [message["body"] for message in messages] == [f"Offer {number}" for number in range(1, 5)]
    assert world.google.wallet.complaints == []


def test_two_phones_hold_a_pass_one_with_a_token_that_rotates_and_one_that_is_gone(daemon, world, tmp_path):
    drop(daemon, tmp_path, "enrol.csv", ENROL, settled=False)
    row = row_of(daemon)
    phones = [add_to_phone(daemon, world, row) for _ in range(3)]
    world.call(phones[0].rotate_token())
    world.apns.dead[phones[2].push_token] = utc_now()
    (told,) = delivered(daemon, world, tmp_path, "members-1.csv", "id.memberId,additionalData.points\nM000001,75\n")
    assert told["_apple"] == "fetched"
    daemon.until(lambda: world.push() or all(len(phone.shown) == 1 for phone in phones[:2]))
    assert [phone.shown for phone in phones] == [["You now have 75 points."]] * 2 + [[]]
    daemon.until(lambda: row_of(daemon).apple == 2)
    delivered(daemon, world, tmp_path, "members-2.csv", "id.memberId,additionalData.points\nM000001,76\n")
    assert world.apns.complaints == [], "a token that is gone is never pushed again"


def test_a_killed_daemon_repeats_pushes_with_the_same_id_only(daemon, world, tmp_path):
    drop(daemon, tmp_path, "enrol.csv", ENROL, settled=False)
    row = row_of(daemon)
    phone = add_to_phone(daemon, world, row)
    world.apns.rules.answering = False
    drop(daemon, tmp_path, "members-1.csv", "id.memberId,additionalData.points\nM000001,75\n", settled=False)
    daemon.until(lambda: world.apns.seen == 1)
    daemon.kill()
    world.apns.rules.answering = True
    daemon.start()
    daemon.until(lambda: world.push() or phone.shown)
    assert phone.shown == ["You now have 75 points."]
    assert len({request["apns-id"] for request in world.apns.requests}) == 1
