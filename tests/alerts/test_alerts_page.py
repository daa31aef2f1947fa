"""docs/alerts.md: every kind with its meaning, what it looks like and a command that exists; and a channel that works.

``THUNES_UPDATE_DOCS=1 python -m pytest tests/alerts/test_alerts_page.py`` writes the examples anew.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alert_examples import EXAMPLES, Stage
from bot_home import BotHome
from fake_telegram import FakeTelegram

from thunes_cli.alerts.message import Origin, draft
from thunes_cli.cli.table import COMMANDS
from thunes_cli.ledger.alert_kinds import MEANINGS, Kind
from thunes_cli.ledger.alerts import Alert, alerts_of

PAGE = Path(__file__).parents[2] / "docs" / "alerts.md"
EXAMPLE = re.compile(r"<!-- example: (?P<kind>\w+) -->\n```text\n(?P<body>.*?)```", re.DOTALL)
SHOWN_HOME = "/var/lib/thunes"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A home without a past."""
    bot = BotHome(tmp_path / "home")
    yield Stage(bot, monkeypatch)
    bot.close()


def raised(stage: Stage, kind: Kind) -> list[Alert]:
    """The alerts of an example."""
    EXAMPLES[kind](stage)
    with stage.bot.journal.read() as connection:
        rows = connection.execute("SELECT * FROM alerts WHERE kind = ? ORDER BY id", (kind,)).fetchall()
    assert rows, f"the example of {kind} raises none"
    return alerts_of(rows)


def as_shown(alerts: list[Alert], home: Path) -> str:
    """As the chat shows them, the line that names the home left out."""
    texts = [draft([alert], Origin("live", Path(SHOWN_HOME))).text for alert in alerts]
    shown = "\n\n".join(text.replace(f"\nhome {SHOWN_HOME}\n\n", "\n") for text in texts)
    return shown.replace(str(home), SHOWN_HOME) + "\n"


@pytest.mark.parametrize("kind", list(Kind))
def test_the_page_explains_and_shows_it(stage: Stage, kind: Kind) -> None:
    """A section with the kind's meaning and the very texts that the code makes."""
    page = PAGE.read_text(encoding="utf-8")
    fresh = as_shown(raised(stage, kind), stage.bot.path)
    if os.environ.get("THUNES_UPDATE_DOCS"):
        block = f"<!-- example: {kind} -->\n```text\n{fresh}```"
        page = EXAMPLE.sub(lambda match: block if match["kind"] == kind else match[0], page)
        PAGE.write_text(page, encoding="utf-8")

    section = page.partition(f"\n### `{kind}`\n")[2].partition("\n### ")[0]

    assert MEANINGS[kind] in " ".join(section.split())
    assert [match["body"] for match in EXAMPLE.finditer(page) if match["kind"] == kind] == [fresh]


@pytest.mark.parametrize("kind", list(Kind))
def test_each_ends_with_a_command_that_exists(stage: Stage, kind: Kind) -> None:
    """What the operator is told to type can be typed."""
    paths = [tuple(entry.path.split()) for entry in COMMANDS]
    for alert in raised(stage, kind):
        command = shlex.split(alert.text.rpartition("Next: ")[2])
        if command[0] == "df":
            continue
        assert command[0] == "thunes", alert.text
        assert any(tuple(command[1 : 1 + len(path)]) == path for path in paths), alert.text


def test_no_section_is_about_a_kind_that_is_gone() -> None:
    """Each heading of the third level below the kinds is one."""
    chapter = PAGE.read_text(encoding="utf-8").partition("\n## Kinds\n")[2].partition("\n## ")[0]

    assert set(re.findall(r"^### `(\w+)`$", chapter, re.MULTILINE)) == set(Kind)


# -- the guide for a channel of one's own ------------------------------------------------------------------------


def install(place: Path, *, code: str, points: str, name: str = "our-ntfy") -> None:
    """What installing a package leaves behind: its module, and metadata with its entry points."""
    place.mkdir()
    (place / "our_ntfy.py").write_text(code, encoding="utf-8")
    metadata = place / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(points, encoding="utf-8")
    importlib.invalidate_caches()  # a path that was not there is remembered as empty


def guide(language: str) -> str:
    """The first block in that language of the page's guide."""
    chapter = PAGE.read_text(encoding="utf-8").partition("\n## A channel of your own\n")[2]
    return re.findall(rf"```{language}\n(.*?)```", chapter, re.DOTALL)[0]


def points_of(pyproject: str) -> str:
    """What an installer makes of a project's entry points."""
    found = re.findall(r'\[project\.entry-points\."(.+?)"\]\n(\w+) = "(.+?)"', pyproject)
    return "".join(f"[{group}]\n{name} = {value}\n" for group, name, value in found)


ACTIVATE = ("killswitch", "activate", "--reason", "test")


def test_the_guides_channel_works_as_it_stands(stage: Stage, tmp_path: Path, telegram: FakeTelegram) -> None:
    """Installed from the page's own code, it carries an alert; Telegram beside it is not disturbed."""
    place = tmp_path / "site"
    install(place, code=guide("python"), points=points_of(guide("toml")))
    assert stage.bot.ask(*ACTIVATE).code == 0
    settings = {"NOTIFIERS": "ntfy", "NTFY_URL": f"{telegram.url}/topic", **telegram.settings()}
    environ = {"PATH": os.environ["PATH"], "HOME": str(place), "PYTHONPATH": str(place), **settings}
    command = [sys.executable, "-m", "thunes_cli", "--home", str(stage.bot.path), "alerts", "retry", "--json"]

    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr
    (beat,) = telegram.beats
    assert beat[:2] == ("POST", "/topic")
    assert "Kill switch activated by " in beat[2]
    assert len(telegram.texts) == 1


BAD = {
    "cannot be imported": ("import there_is_no_such_module\n", "ModuleNotFoundError"),
    "cannot be made": (
        "class Ntfy:\n    def __init__(self, params):\n        raise ValueError(params)\n",
        "ValueError",
    ),
    "cannot send": ("class Ntfy:\n    def __init__(self, params): pass\n    send = None\n", "it needs a method send"),
    "is no class": ("Ntfy = 7\n", "is not a class or function"),
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for a package that this process finds."""
    place = tmp_path / "site"
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.delitem(sys.modules, "our_ntfy", raising=False)
    return place


@pytest.mark.parametrize("name", [*BAD, "is not installed"])
def test_a_channel_that_is_no_good_is_named_and_harms_nobody(
    stage: Stage, site: Path, telegram: FakeTelegram, name: str
) -> None:
    """The others carry the alert; a retry says what is wrong, without the channel's secrets."""
    code, said = BAD.get(name, ("", "no installed package provides it"))
    install(site, code=code, points="[thunes.notifiers]\nntfy = our_ntfy:Ntfy\n" if code else "")
    settings = {"NOTIFIERS": "ntfy", "NTFY_TOKEN": "CANARY-of-the-channel"}
    assert stage.bot.ask(*ACTIVATE).code == 0

    alone = stage.bot.ask("alerts", "retry", "--json", environ=settings)
    beside = stage.bot.ask("alerts", "retry", "--json", environ=settings | telegram.settings())

    assert alone.code == 78
    assert said in alone.document["problems"][0]["message"]
    assert (beside.code, len(telegram.texts)) == (0, 1)
    assert "CANARY" not in alone.out + alone.err + beside.out + beside.err


def test_a_channel_that_fails_tells_no_secret(stage: Stage, site: Path) -> None:
    """Its exception is kept, logged and shown without what its settings hold."""
    code = (
        "class Ntfy:\n    def __init__(self, params):\n        self.params = params\n"
        "    def send(self, message):\n        raise RuntimeError(f'no luck with {self.params}')\n"
    )
    install(site, code=code, points="[thunes.notifiers]\nntfy = our_ntfy:Ntfy\n")
    assert stage.bot.ask(*ACTIVATE).code == 0

    done = stage.bot.ask("alerts", "retry", "--json", environ={"NOTIFIERS": "ntfy", "NTFY_TOKEN": "CANARY-of-it"})

    assert done.code == 13
    assert "ntfy failed: RuntimeError: no luck with" in done.document["problems"][0]["message"]
    assert "CANARY" not in done.out + done.err
    assert all(b"CANARY" not in path.read_bytes() for path in stage.bot.path.rglob("*") if path.is_file())
