"""Bundles: the same content gives the same bytes, and every change of one is caught."""

import gzip
import hashlib
import io
import tarfile

import pytest

from quant.core.errors import StoreError
from quant.governance import bundle

MEMBERS = {
    bundle.CONFIG: b"seed: 42\n",
    bundle.HASH: b"0123456789ab\n",
    bundle.FACTS: b'{"name": "run"}',
    "conf/config.yaml": b"defaults: []\n",
}


def repacked(path, **changes):
    """The tarball at `path` with members changed, or left out where None; DIGESTS as it was."""
    with tarfile.open(path, "r:gz") as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
    members = {k: v for k, v in (members | changes).items() if v is not None}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def overwrite(path, content):
    path.chmod(0o644)
    path.write_bytes(content)


def test_what_was_packed_is_read_back(tmp_path):
    folder = bundle.write(tmp_path, "2026-01-02_abc_012", MEMBERS)
    found = bundle.load(folder)
    assert found.members == MEMBERS and found.facts == {"name": "run"}
    assert bundle.load(folder / bundle.NAME).members == MEMBERS
    assert (folder / bundle.HASH).read_bytes() == MEMBERS[bundle.HASH]
    digest = hashlib.sha256((folder / bundle.NAME).read_bytes()).hexdigest()
    assert (folder / bundle.SHA).read_text() == f"{digest}  {bundle.NAME}\n"
    for path in folder.iterdir():
        assert not path.stat().st_mode & 0o222


def test_the_same_members_give_the_same_bytes():
    assert bundle.pack(MEMBERS) == bundle.pack(dict(reversed(MEMBERS.items())))
    assert bundle.pack(MEMBERS) != bundle.pack(MEMBERS | {bundle.CONFIG: b"seed: 43\n"})


def test_nothing_is_overwritten(tmp_path):
    first = bundle.write(tmp_path, "name", MEMBERS)
    assert bundle.write(tmp_path, "name", MEMBERS) == first
    other = bundle.write(tmp_path, "name", MEMBERS | {bundle.CONFIG: b"seed: 43\n"})
    assert other.name == "name-2" and bundle.load(first).members == MEMBERS
    assert bundle.write(tmp_path, "name", MEMBERS | {bundle.CONFIG: b"seed: 43\n"}) == other


def test_a_draft_that_was_left_behind_does_not_block(tmp_path):
    draft = tmp_path / ".name"
    draft.mkdir()
    (draft / bundle.NAME).write_bytes(b"half")
    assert bundle.load(bundle.write(tmp_path, "name", MEMBERS)).members == MEMBERS


@pytest.mark.parametrize("lone", [True, False], ids=["tarball alone", "folder"])
@pytest.mark.parametrize(
    ("changes", "named"),
    [({bundle.CONFIG: b"seed: 43\n"}, "config.yaml"), ({"conf/config.yaml": None}, "conf/config"),
     ({"more": b"1"}, "more"), ({bundle.DIGESTS: None}, "conf/config.yaml")],
)  # fmt: skip
def test_a_changed_member_is_named(tmp_path, changes, named, lone):
    folder = bundle.write(tmp_path, "name", MEMBERS)
    tarball = folder / bundle.NAME
    overwrite(tarball, repacked(tarball, **changes))
    if lone:
        tarball = tarball.rename(tmp_path / "alone.tar.gz")
        with pytest.raises(StoreError, match=f"{named}.* is not what DIGESTS lists"):
            bundle.load(tarball)
    else:
        with pytest.raises(StoreError, match="is not that of bundle.sha256"):
            bundle.load(folder)


def test_a_changed_hash_beside_it_is_caught(tmp_path):
    folder = bundle.write(tmp_path, "name", MEMBERS)
    overwrite(folder / bundle.HASH, b"ffffffffffff\n")
    with pytest.raises(StoreError, match="another hash"):
        bundle.load(folder)


def test_a_flipped_byte_is_caught_or_changes_nothing(tmp_path):
    content, caught = bundle.pack(MEMBERS), 0
    for at in range(10, len(content), 17):
        path = tmp_path / "flipped.tar.gz"
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            assert bundle.load(path).members == MEMBERS  # a header that nobody reads
        except StoreError:
            caught += 1
    assert caught > 10


@pytest.mark.parametrize("content", [b"", b"no tarball", gzip.compress(b"nor this", mtime=0)])
def test_what_is_no_bundle_is_refused(tmp_path, content):
    path = tmp_path / "some.tar.gz"
    path.write_bytes(content)
    with pytest.raises(StoreError):
        bundle.load(path)
    with pytest.raises(StoreError, match=r"has no bundle.tar.gz; name a folder"):
        bundle.load(tmp_path)


def test_a_bundle_without_settings_is_refused(tmp_path):
    path = tmp_path / "some.tar.gz"
    path.write_bytes(bundle.pack({k: v for k, v in MEMBERS.items() if k != bundle.CONFIG}))
    with pytest.raises(StoreError, match="lacks config.yaml"):
        bundle.load(path)
