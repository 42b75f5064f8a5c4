"""`passes render`: what a platform would get, in files, and a picture."""

import io
import json
import zipfile

import pytest
from PIL import Image

from tests.apple_keys import PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, apple_keys
from tests.apple_oracle import complaints
from tests.marks import needs_openssl

TEXT = (
    "id,passType,id.memberId,additionalData.points,additionalData.firstName,additionalData.balance\n"
    "one,loyalty_card,M000001,2020,Inès,\ntwo,gift_card,M900001,,,12.5\n"
)


def width_of(file):
    with Image.open(file) as picture:
        return picture.width


@pytest.fixture
def out(place, tmp_path):
    file = tmp_path / "passes.csv"
    file.write_text(TEXT)
    assert place.run("passes", "import", file).exit_code == 0
    return tmp_path / "out"


@pytest.fixture
def keys(place, tmp_path, monkeypatch):
    """Configure Apple with keys made for this run."""
    keys = apple_keys()
    (tmp_path / "pass.p12").write_bytes(keys.pkcs12("secret", chain=True))
    monkeypatch.setenv("P12_PASSWORD", "secret")
    monkeypatch.setenv("TOKEN_KEY", "k" * 48)
    with place.config.open("a") as config:
        config.write(
            '[apple]\ncertificate_file = "pass.p12"\npassword_env = "P12_PASSWORD"\n'
            f'team_identifier = "{TEAM_IDENTIFIER}"\npass_type_identifier = "{PASS_TYPE_IDENTIFIER}"\n'
            'web_service_url = "https://passes.example.com/apple"\ntoken_keys = ["2026=TOKEN_KEY"]\n'
        )
    return keys


def test_without_a_certificate_the_files_that_would_be_signed_are_written(place, out):
    """And it is said that nothing is signed."""
    shown = place.run("passes", "render", "one", "--platform", "apple", "--out", out)
    assert shown.exit_code == 0, shown.stderr
    assert "Apple is not configured ([apple] certificate_file), so nothing is signed." in shown.stdout
    told = json.loads((out / "one.pass" / "pass.json").read_bytes())
    assert told["storeCard"]["primaryFields"][0]["value"] == 2020
    assert told["serialNumber"] == "one"
    assert (out / "one.pass" / "fr.lproj" / "pass.strings").is_file()
    assert width_of(out / "one.apple.png") > 1000
    assert (out / "one.apple.png").stat().st_mode & 0o777 == 0o600


@needs_openssl
def test_with_a_certificate_the_pass_is_signed(place, out, keys):
    """Wallet would open it."""
    shown = place.run("passes", "render", "one", "--platform", "apple", "--out", out, "--json")
    found = json.loads(shown.stdout)
    assert (found["signed"], found["notes"], found["lost"]) == (True, [], [])
    pkpass = (out / "one.pkpass").read_bytes()
    assert complaints(pkpass, root=keys.root_pem) == []
    told = json.loads(zipfile.ZipFile(io.BytesIO(pkpass)).read("pass.json"))
    assert (told["webServiceURL"], len(told["authenticationToken"])) == ("https://passes.example.com/apple", 43)
    assert not (out / "one.pass").exists()


def test_google_gets_class_and_object(place, out):
    """With ids once there is an issuer, and images by their digests."""
    shown = place.run("passes", "render", "two", "--platform", "google", "--out", out, "--language", "fr")
    assert shown.exit_code == 0, shown.stderr
    assert "Google is not configured" in shown.stdout
    found = json.loads((out / "two.google.json").read_bytes())
    assert found["object"]["balance"] == {"micros": "12500000", "currencyCode": "EUR"}
    assert found["class"]["programLogo"]["sourceUri"]["uri"].startswith("image:")
    assert width_of(out / "two.google.png") > 1000


def test_a_message_can_be_tried(place, out):
    """It is shown, and stored nowhere."""
    place.run("passes", "render", "one", "--platform", "apple", "--out", out, "--message", "Double points!")
    told = json.loads((out / "one.pass" / "pass.json").read_bytes())
    assert told["storeCard"]["backFields"][0]["value"].strip("\u200b") == "Double points!"
    place.run("passes", "render", "one", "--platform", "apple", "--out", out)
    told = json.loads((out / "one.pass" / "pass.json").read_bytes())
    assert told["storeCard"]["backFields"][0]["value"] == "No news at the moment."


def test_what_did_not_come_out_as_the_row_says_is_named(place, out):
    """An image that nobody has is one of these."""
    file = place.loyalty / "pass_types" / "loyalty_card" / "google_object.json"
    file.write_text(file.read_text().replace("image:hero-", "image:{{ additionalData.firstName }}-"))
    shown = place.run("passes", "render", "one", "--platform", "google", "--out", out)
    assert "Not as the pass's values say: heroImage.sourceUri.uri" in shown.stdout


def test_a_pass_or_a_template_that_is_not_there_is_refused(place, out):
    """Nothing is written."""
    assert "There is no pass 'nobody'" in place.run("passes", "render", "nobody", "--platform", "apple").stderr
    for name in ("google_class.json", "google_object.json"):
        (place.loyalty / "pass_types" / "gift_card" / name).unlink()
    toml = place.loyalty / "pass_types" / "gift_card" / "pass_type.toml"
    toml.write_text(toml.read_text().replace('google_type = "giftCard"', ""))
    shown = place.run("passes", "render", "two", "--platform", "google", "--out", out)
    assert "The pass type 'gift_card' has no template for google." in shown.stderr
    assert not out.exists()
