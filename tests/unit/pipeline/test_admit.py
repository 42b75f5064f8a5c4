import pytest

from flatfile_sync.domain.failures import Refused
from flatfile_sync.pipeline import admit
from flatfile_sync.store import accounts, audit
from flatfile_sync.store.accounts import Key


@pytest.fixture
def ask(store, clock):
    def run(verb, *args, **more):
        return store.write_now(lambda conn: verb(conn, *args, clock=clock, **more))

    return run


def key(clock, account="acme", number=1):
    return Key(account, f"SHA256:{number}", f"ssh-ed25519 AAAA{number}", "", clock(), None)


def test_an_account_comes_and_goes_and_each_step_is_audited(ask, store, clock):
    ask(admit.add, "acme", project="loyalty", feeds=["members"], key=key(clock))
    ask(admit.add_key, key(clock, number=2))
    found = store.read_now(lambda conn: admit.find(conn, "acme"))
    assert (found.project, list(found.feeds), found.disabled_at) == ("loyalty", ["members"], None)
    ask(admit.remove_key, found, "SHA256:1")
    ask(admit.disable, found)
    assert [left.fingerprint for left in store.read_now(lambda conn: accounts.keys(conn, "acme"))] == ["SHA256:2"]
    assert store.read_now(lambda conn: admit.find(conn, "acme")).disabled_at == clock()
    for event, told in (
        ("account_added", [{"account": "acme", "project": "loyalty", "feeds": ["members"]}]),
        ("account_key_added", [{"account": "acme", "fingerprint": f"SHA256:{n}"} for n in (1, 2)]),
        ("account_key_removed", [{"account": "acme", "fingerprint": "SHA256:1"}]),
        ("account_disabled", [{"account": "acme"}]),
    ):
        assert store.read_now(lambda conn, event=event: audit.events(conn, event)) == told


def test_what_cannot_be_is_refused_and_leaves_no_trace(ask, store, clock):
    ask(admit.add, "acme", project="loyalty", feeds=[], key=key(clock))
    account = store.read_now(lambda conn: admit.find(conn, "acme"))
    with pytest.raises(Refused, match="There is an account 'acme' already"):
        ask(admit.add, "acme", project="loyalty", feeds=[], key=key(clock))
    with pytest.raises(Refused, match="has the key SHA256:1 already"):
        ask(admit.add_key, key(clock))
    with pytest.raises(Refused, match="has no key SHA256:9"):
        ask(admit.remove_key, account, "SHA256:9")
    ask(admit.disable, account)
    with pytest.raises(Refused, match="is disabled already"):
        ask(admit.disable, account)
    with pytest.raises(Refused, match="There is no account 'nobody'"):
        store.read_now(lambda conn: admit.find(conn, "nobody"))
    assert len(store.read_now(lambda conn: audit.events(conn, "account_key_added"))) == 1


@pytest.mark.parametrize("name", ["", "Acme", ".acme", "-acme", "a b", "a/b", "a" * 65, "acmé", "acme\n"])
def test_a_name_that_a_client_or_a_log_could_misread_is_refused(ask, store, clock, name):
    with pytest.raises(Refused, match="cannot be an account's name"):
        ask(admit.add, name, project="loyalty", feeds=[], key=key(clock))
    assert store.read_now(accounts.listing) == []


@pytest.mark.parametrize("name", ["a", "9", "acme.crm_nightly-2", "a" * 64])
def test_a_plain_name_is_taken(ask, store, clock, name):
    ask(admit.add, name, project="loyalty", feeds=[], key=key(clock, name))
    assert store.read_now(lambda conn: admit.find(conn, name)).name == name
