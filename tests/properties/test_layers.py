"""Whatever is packed comes out as it went in, and no bytes make the reader raise."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given
from hypothesis import strategies as st

from flatfile_sync.domain.layers import MAX_LAYERS, Layer, LayerLimits
from flatfile_sync.files.layers import HEAD, layer_of, open_layers
from tests.packing import PACK

stacks = st.lists(st.sampled_from(Layer), min_size=1, max_size=MAX_LAYERS)
contents = st.binary(max_size=200) | st.builds(bytes.__mul__, st.binary(max_size=9), st.integers(0, 3000))


def opened(data):
    """Return what was found in a file of these bytes, and the content."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "drop", Path(folder) / "content"
        source.write_bytes(data)
        found = open_layers(source, target, limits=LayerLimits())
        content = target.read_bytes() if target.exists() else None
        assert {path.name for path in Path(folder).iterdir()} <= {"drop", "content"}
        return found, content


def packed(content, stack):
    for layer in reversed(stack):
        content = PACK[layer](content)
    return content


@given(contents.filter(lambda data: layer_of(data[:HEAD]) is None), stacks)
def test_any_content_survives_any_stack_of_layers(content, stack):
    found, got = opened(packed(content, stack))
    assert (found.layers, found.issue, got) == (tuple(stack), None, content)


@given(contents, stacks, st.data())
def test_a_file_in_layers_that_lacks_its_end_is_never_taken_for_a_whole_one(content, stack, data):
    whole = packed(content, stack)
    cut = whole[: data.draw(st.integers(HEAD, len(whole) - 1))]
    found, got = opened(cut)
    assert found.issue is not None
    assert got is None


@given(contents, stacks, st.data())
def test_changed_bytes_are_an_issue_or_the_same_content(content, stack, data):
    whole = bytearray(packed(content, stack))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3)):
        whole[place] = data.draw(st.integers(0, 255))
    found, got = opened(bytes(whole))
    # Names, times and comments may change; a file whose first bytes are no layer's any more is plain content.
    assert found.issue is not None or got == content or len(found.layers) < len(stack)


heads = st.sampled_from([packed(b"id,x\n1,2\n", [layer])[:size] for layer in Layer for size in (4, 10, 30, 60)])


@given(st.builds(bytes.__add__, heads, st.binary(max_size=300)))
@example(b"PK\x05\x06" + bytes(18))
@example(b"PK\x03\x04" + b"PK\x05\x06\0\0\0\0\1\0\1\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0")
@example(
    b"PK\x06\x07\0\0\0\0" + b"\xff" * 8 + b"\0" * 4 + b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff" + b"\xff" * 8 + b"\0\0"
)
def test_no_bytes_make_the_reader_raise(data):
    found, got = opened(data)
    assert (got is None) == (found.issue is not None or not found.layers)
