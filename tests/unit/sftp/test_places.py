from flatfile_sync.sftp.places import Places


def places(**changes):
    return Places(**({"most": 10, "strangers": 6, "per_address": 3} | changes))


def test_one_address_takes_no_more_than_its_share():
    """The fourth stranger of an address is turned away, one of another address is not."""
    found = places()
    assert all(found.take(1) for _ in range(3))
    assert found.take(1) is None
    assert found.take(2) is not None


def test_a_login_makes_room_among_the_strangers_but_not_in_all():
    """Partners count in all, not before the login."""
    found = places(most=4)
    for _ in range(4):
        found.logged_in(found.take(1))
    assert (found.waiting(), len(found)) == (0, 4)
    assert found.take(2) is None


def test_when_all_places_are_taken_the_oldest_of_the_greediest_makes_room():
    """Two addresses that hold three places each cannot keep a third address out."""
    found, ended = places(), []
    for number in range(6):
        place = found.take(number % 2)
        place.end = lambda number=number: ended.append(number)
    assert found.take(2) is not None
    assert (ended, found.waiting()) == ([0], 6)


def test_where_everybody_holds_the_same_the_newcomer_goes():
    """Many addresses with one place each: nobody is cut off for somebody who holds as many."""
    found = places()
    assert all(found.take(number) for number in range(6))
    assert found.take(7) is None


def test_a_place_is_given_back_once():
    """Leaving twice frees one place."""
    found = places(strangers=1)
    place = found.take(1)
    found.leave(place)
    found.leave(place)
    assert len(found) == 0
    assert found.take(1) is not None


def test_a_place_moves_to_the_client_that_a_proxy_names():
    """It counts for the client then, and not if that client has its share already or the place is gone."""
    found = places(per_address=1)
    proxied = found.take(1)
    assert found.move(proxied, 2)
    assert found.take(2) is None
    again = found.take(1)
    assert not found.move(again, 2)
    found.leave(again)
    assert not found.move(again, 3)
