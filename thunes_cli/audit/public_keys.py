"""Files of public keys: ``audit_key.pub`` beside a trail, or a copy of it that was kept elsewhere."""

from __future__ import annotations

from pathlib import Path

from thunes_cli.audit.notes import ORIGIN, BadNote, PublicKey, parse_public_key
from thunes_cli.errors import ConfigError

_MOST = 1024 * 1024  # characters; a home has one key or a few


def read_public_keys(path: Path) -> tuple[PublicKey, ...]:
    """The keys of a file, one a line; other lines, such as the first of a command's answer, do not count.

    Raises:
        ConfigError: there are none, or one is damaged (78). OSError: the file cannot be read.
    """
    keys = []
    try:
        with path.open(encoding="utf-8") as stream:
            lines = stream.read(_MOST).splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a file of public keys") from None
    for number, line in enumerate(lines, start=1):
        if not line.lstrip().startswith(ORIGIN):
            continue
        try:
            keys.append(parse_public_key(line))
        except BadNote as error:
            raise ConfigError(f"{path}, line {number}: {error}") from None
    if not keys:
        raise ConfigError(f"{path}: there is no public key in it")
    return tuple(keys)
