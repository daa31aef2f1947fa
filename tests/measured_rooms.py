"""What no test ran, room by room, in every process that the tests started: `make coverage`.

Children often get a bare environment and end by `os._exit`, so coverage.py is started by the interpreter itself: by a
`.pth` file in .venv that counts for as long as the process lives that wrote it. What is killed takes its lines with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import coverage

_PTH = Path(sysconfig.get_path("purelib")) / "measured_rooms.pth"
_START = "import os; os.path.exists('/proc/{pid}') and exec({code!r})\n"
_CODE = "os.environ['COVERAGE_PROCESS_START'] = {settings!r}; import coverage; coverage.process_startup()"
_SETTINGS = """[run]
branch = true
parallel = true
source_pkgs = thunes_cli
data_file = {folder}/data
patch = _exit
disable_warnings = no-data-collected, module-not-imported, module-not-measured
[report]
exclude_also =
    if TYPE_CHECKING:
    ^\\s*\\.\\.\\.$
"""
# What they look at is what a process has imported: here that is coverage.py too.
_NOT_MEASURED = (
    *("tests/cli/test_import_set.py", "tests/cli/test_frame_lazy.py"),
    "tests/sim/test_embedded.py::test_opening_imports_nothing_heavy",
)


def measure(folder: Path, arguments: list[str]) -> int:
    """Run pytest with these arguments; print the rooms, and leave what nobody ran in `missed.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("data*"):
        old.unlink()
    settings = folder / "settings"
    settings.write_text(_SETTINGS.format(folder=folder))
    _PTH.write_text(_START.format(pid=os.getpid(), code=_CODE.format(settings=str(settings))))
    ignored = [f"--deselect={path}" for path in _NOT_MEASURED]
    try:
        code = subprocess.run([sys.executable, "-m", "pytest", *ignored, *arguments], check=False).returncode
    finally:
        _PTH.unlink(missing_ok=True)
    measured = coverage.Coverage(config_file=str(settings))
    measured.combine([str(folder)])
    with (folder / "missed.txt").open("w") as missed:
        measured.report(file=missed, show_missing=True, skip_covered=True)
    measured.json_report(outfile=str(folder / "report.json"))
    sys.stdout.write(rooms_of(json.loads((folder / "report.json").read_text())))
    sys.stdout.write(f"line by line: {folder / 'missed.txt'}\n")
    return code


def rooms_of(report: dict) -> str:
    """A Markdown table: for each room, the lines and the branches that ran."""
    rooms: dict[str, Counter[str]] = {}
    for path, file in report["files"].items():
        parts = Path(path).parts
        inner = parts[parts.index("thunes_cli") + 1 :]
        room = f"`{inner[0]}/`" if len(inner) > 1 else "one-file rooms"
        for sums in (rooms.setdefault(room, Counter()), rooms.setdefault("all", Counter())):
            sums.update({name: value for name, value in file["summary"].items() if isinstance(value, int)})
    everything = rooms.pop("all")
    rows = [_row(room, rooms[room]) for room in sorted(rooms)] + [_row("**all**", everything)]
    return "\n".join(["| Room | Lines | run | Branches | run |", "|---|--:|--:|--:|--:|", *rows]) + "\n"


def _row(room: str, sums: Counter[str]) -> str:
    lines, branches = sums["num_statements"], sums["num_branches"]
    ran = 100 * sums["covered_lines"] / max(lines, 1)
    went = 100 * sums["covered_branches"] / max(branches, 1)
    return f"| {room} | {lines:,} | {ran:.1f} % | {branches:,} | {went:.1f} % |"


if __name__ == "__main__":
    sys.exit(measure(Path(sys.argv[1]).resolve(), sys.argv[2:]))
