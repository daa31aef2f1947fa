"""A rotation of the API key that is killed between any two steps: one whole key is in its place, and it works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from crash_room import open_room
from fork_server import ALIVE, Ended, Killing
from keys_of_room import CONFIRMED, Keys, Pair

from thunes_cli.config.secrets import Secret

# From the last moment before a secret is on the disk until it has its name: then it lies in a draft.
_DRAFT = ("draft.before", "draft.after", "name.before")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    """A home that has met its exchange; its `.env` has a place for the old key already."""
    with open_room(tmp_path_factory.mktemp("rotation"), candles=4000) as made:
        made.settle()
        found = Keys(made)
        assert found.rotate()[2].code == 0, made.said
        yield found


def test_killed_while_the_secret_is_in_a_draft(keys: Keys) -> None:
    """The draft stays behind with the secret in it, and goes with the next start; the old key works."""
    events = keys.rotate()[2].events
    for name in _DRAFT:
        old, new, ended = keys.rotate(Killing(at=events.index(name) + 1))
        assert (ended.code, ended.events[-1]) == (-9, name)
        assert [path.read_text().count(new.secret) for path in keys.drafts] == [1]
        keys.prove(old, new)


def test_a_draft_goes_with_the_next_rotation(keys: Keys) -> None:
    """Whoever tries again leaves none."""
    events = keys.rotate()[2].events
    assert keys.rotate(Killing(at=events.index("name.before") + 1))[2].code == -9
    assert len(keys.drafts) == 1

    old, new, ended = keys.rotate()

    assert ended.code == 0, keys.room.said
    assert keys.in_file == new
    assert keys.drafts == []
    keys.prove(old, new)


def test_killed_right_after_the_file_has_its_name(keys: Keys) -> None:
    """The new key is in force, and whoever starts next says so."""
    events = keys.rotate()[2].events
    old, new, ended = keys.rotate(Killing(at=events.index("name.after") + 1))

    assert ended.code == -9
    assert keys.in_file == new
    assert keys.states()[-1] == "started"
    keys.prove(old, new)


def test_killed_at_every_event(keys: Keys) -> None:
    """Each commit, each write to the trail, each step of the file: before and after."""
    count = len(keys.rotate()[2].events)
    assert count > 20
    for number in range(1, count + 1):
        old, new, ended = keys.rotate(Killing(at=number))
        assert ended.code == -9
        keys.prove(old, new)


def test_killed_while_the_old_key_is_taken_for_deleted(keys: Keys) -> None:
    """At every event: said again it is forgotten, and stands on the trail once."""
    words = ("keys", "rotate", "--confirm-old-deleted", "--confirm", "deleted sim")

    def bury(killing: Killing = ALIVE) -> Ended:
        return keys.room.spawner.run(keys.room.command(*words, killing=killing))

    def replace() -> Pair:
        old, _, ended = keys.rotate()
        assert ended.code == 0, keys.room.said
        keys.room.post("/sim/key/revoke", {"key": old.key[:12]})
        return old

    replace()
    events = bury().events
    assert "name.after" in events
    gone = []
    for number in range(1, len(events) + 1):
        old = replace()
        assert bury(Killing(at=number)).code == -9
        assert bury().code == 0, keys.room.said
        assert old.key not in keys.file.read_text()
        gone.append(Secret(old.key).fingerprint())
    assert keys.room.once().code == 0  # what waits for the trail is written
    told = [each["fingerprint"] for each in keys.room.home.events if each["event"] == "KEY_OLD_DEAD"]
    assert [told.count(each) for each in gone] == [1] * len(gone)


def test_two_rotations_at_once(keys: Keys) -> None:
    """The second is told that the first goes on (11); the first comes to its end."""
    made = keys.room.post("/sim/key/add", {})
    path = keys.write_key(Pair(made["api_key"], made["api_secret"]))

    with keys.room.spawner.stopped(keys.command(path, Killing(on="name.before", stop=True))):
        before = keys.in_file
        other = keys.room.home.thunes("keys", "rotate", "--from-file", str(path), *CONFIRMED)
        assert (other.returncode, "is rotating the API key" in other.stderr) == (11, True), other.stderr
        assert keys.in_file == before

    assert keys.in_file == Pair(made["api_key"], made["api_secret"])
    assert keys.states()[-1] == "done"
