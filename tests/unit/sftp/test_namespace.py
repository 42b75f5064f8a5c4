import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatfile_sync.pipeline.receive import Place
from flatfile_sync.sftp.namespace import Folder, NoSuchFileError, locate, normalise

FEEDS = ("members", "enrol")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", Folder()),
        ("/", Folder()),
        ("inbox/", Folder("inbox")),
        ("/inbox/members", Folder("inbox", "members")),
        ("inbox/x.csv", Place(zone="inbox", folder=None, name="x.csv")),
        ("/outbox/enrol/./x.csv", Place(zone="outbox", folder="enrol", name="x.csv")),
        ("//inbox//members//..//x.csv", Place(zone="inbox", folder=None, name="x.csv")),
        ("/../../inbox/x", Place(zone="inbox", folder=None, name="x")),
        ("/archive/members", Place(zone="archive", folder=None, name="members")),
    ],
)
def test_a_path_means_a_folder_or_a_place(path, found):
    assert locate(path.encode(), FEEDS) == found


@pytest.mark.parametrize("path", ["/etc/passwd", "/inbox/other/x", "/inbox/members/deep/x", "/Inbox/x", "/archive/a/b"])
def test_anything_else_is_not_there(path):
    with pytest.raises(NoSuchFileError):
        locate(path.encode(), FEEDS)


@given(st.binary(max_size=60))
def test_a_normal_path_is_absolute_and_has_nothing_to_climb_with(path):
    try:
        found = normalise(path)
    except NoSuchFileError:
        return
    assert found.startswith("/")
    assert not {"", ".", ".."} & set(found.split("/")[1:-1])
    assert normalise(found.encode()) == found
