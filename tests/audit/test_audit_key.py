"""The key that signs checkpoints, and the public ones by which they are known."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from trail_home import TrailHome

from thunes_cli.audit.checkpoint_file import read_notes
from thunes_cli.audit.events import Event
from thunes_cli.audit.key import ensure_audit_key
from thunes_cli.audit.notary import Notary
from thunes_cli.audit.notes import Checkpoint, SigningKey
from thunes_cli.audit.public_keys import read_public_keys
from thunes_cli.audit.report import Signatures
from thunes_cli.config.private_file import write_private_file
from thunes_cli.errors import ConfigError

_OF_ANOTHER_KIND = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """0600, the same ever after, its public half beside it."""
    first = ensure_audit_key(tmp_path, instance="abcdef")
    again = ensure_audit_key(tmp_path, instance="abcdef")

    assert first.public == again.public
    assert (tmp_path / "audit_key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "audit_key.pub").read_text() == f"{first.public}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit_key", "audit_key.pub"]
    assert "private" not in repr(first)


def test_a_lost_key_is_replaced_openly(home: TrailHome) -> None:
    """A new key is named on the trail; what the old one signed stays verifiable with the old one."""
    old = home.keys
    (home.path / "audit_key").unlink()
    home.record(1)

    Notary(home.journal).checkpoint()

    assert home.keys[:1] == old
    assert len(home.keys) == 2
    assert home.trail.read_text().count(f'"event":"{Event.AUDIT_KEY_IN_USE}"') == 1
    assert home.look(deep=True).valid
    assert home.look(keys=home.keys[:1]).first_bad is not None


@pytest.mark.parametrize(
    "content",
    [b"", b"nothing", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", _OF_ANOTHER_KIND],
    ids=["empty", "nothing of a key", "no key inside", "a key of another kind"],
)
def test_no_key(tmp_path: Path, content: bytes) -> None:
    """A file that is no key is left alone and said so."""
    path = tmp_path / "audit_key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="audit_key"):
        ensure_audit_key(tmp_path, instance="abcdef")

    assert path.read_bytes() == content


def sign_the_end(home: TrailHome, key: SigningKey) -> None:
    """Put a note behind the others that says the truth, signed with any key."""
    last = list(read_notes(home.notes))[-1].note
    head = home.ledger_view()
    digest = hashlib.sha256(home.trail.read_bytes()).digest()
    note = key.sign(
        Checkpoint(key.public.name, head.segment, head.seq, head.length, digest, last.hash, last.checkpoint.at)
    )
    home.notes.write_bytes(home.notes.read_bytes() + note.raw + b"\n")


def test_a_key_that_is_put_back(home: TrailHome) -> None:
    """The trail names it a second time; who asks which keys are known is told of each once."""
    first = (home.path / "audit_key").read_bytes()
    (home.path / "audit_key").unlink()
    for key in (None, first):
        if key is not None:
            write_private_file(home.path / "audit_key", key)
        home.record(1)
        Notary(home.journal).checkpoint()

    report = home.look(keys=())
    elsewhere = home.path.with_name("elsewhere")
    elsewhere.mkdir()
    sign_the_end(home, ensure_audit_key(elsewhere, instance="abcdef"))
    bad = home.look(keys=()).first_bad

    assert (report.valid, report.signatures) == (True, Signatures.SELF_NAMED)
    assert bad is not None
    assert (bad.file, bad.fault.problem) == (home.notes, "the note is signed with a foreign key")
    assert sorted((bad.fault.expected or "").split(" or ")) == sorted(
        f"{key.name}+{key.key_id.hex()}" for key in home.keys
    )


def test_a_record_that_names_no_key(tmp_path: Path) -> None:
    """What stands where a key should be is nobody's key, and the others still count."""
    home = TrailHome(tmp_path / "home")
    with home.journal.change() as change:
        change.record(Event.AUDIT_KEY_IN_USE, public_key="thunes.audit/abcdef+nonsense", before=None)
    home.record(2)
    home.notary.checkpoint()

    report = home.look(keys=())

    assert (report.valid, report.signatures) == (True, Signatures.SELF_NAMED)
    home.close()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe\x00", "keys: not a file of public keys"),
        (b"hello\nthunes.audit/abcdef+00000000+AQ==\n", "keys, line 2: not an Ed25519 public key"),
        (b"hello\n", "keys: there is no public key in it"),
    ],
    ids=["no text", "a damaged one", "none"],
)
def test_no_public_keys_in_it(tmp_path: Path, content: bytes, problem: str) -> None:
    """The file is named, and the line where there is one."""
    path = tmp_path / "keys"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=problem):
        read_public_keys(path)
