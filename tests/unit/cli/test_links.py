"""Links on the command line: made, listed, called back."""

import json

from tests.line import seed

URL = {"FLATFILE_SYNC_WEB__PUBLIC_URL": "https://passes.example.com"}


def test_a_link_is_made_listed_and_called_back(place):
    """What stands behind /p/ is enough to call it back."""
    one, other = seed(place.kit, ({"memberId": "M1"}, {}), ({"memberId": "M2"}, {}))
    made = place.run("links", "create", one, other, "--days", "7", env=URL)
    assert made.exit_code == 0, made.output
    url = made.stdout.strip()
    assert url.startswith("https://passes.example.com/p/")
    listed = json.loads(place.run("links", "list", other, "--json", env=URL).stdout)
    assert [(entry["url"], entry["state"]) for entry in listed] == [(url, "open")]
    assert place.run("links", "revoke", url.rpartition("/")[2], env=URL).stdout == "1 link called back.\n"
    assert place.run("links", "revoke", "--pass", one, env=URL).stdout == "0 links called back.\n"
    assert "called back" in place.run("links", "list", one, env=URL).stdout


def test_what_cannot_be_says_why(place):
    """No address, no pass, no link of ours, or two things at once."""
    (one,) = seed(place.kit, ({"memberId": "M1"}, {}))
    for arguments, environment, why in (
        (("create", one), {}, "web.public_url is empty"),
        (("create", "nothing"), URL, "There is no pass nothing"),
        (("list", "nothing"), URL, "There is no pass 'nothing'"),
        (("revoke", "https://passes.example.com/p/nothing"), URL, "no link of ours"),
        (("revoke", "--pass", "nothing"), URL, "There is no pass 'nothing'"),
        (("revoke",), URL, "say either a LINK or --pass ID"),
    ):
        shown = place.run("links", *arguments, env=environment)
        assert shown.exit_code != 0
        assert why in shown.stderr.replace("\n", " ")
