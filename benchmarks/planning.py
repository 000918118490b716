"""Loading and planning 10,000 messages in one file, as a ratio to tomli and pydantic alone.

    python benchmarks/planning.py

The baseline reads the same file with tomli and validates it with the models of a manifest. Ours
does that too, then merges defaults, fills in templates, normalises recipients, validates and builds
every message, checks its payload and computes its digest. Rounds take turns in one process.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tomli

from dispatcher.api import Dispatcher
from dispatcher.manifest.tables import ManifestTable

MESSAGES = 10_000
ROUNDS = 7
HEAD = 'manifest = 1\n[defaults]\npreview_url = false\n[vars]\nshop = "Acme"\n'
MESSAGE = """
[[messages]]
id = "message-{number}"
to = "7900{number:07}"
text.body = "Hello {number} from {{{{ shop }}}}: your order is ready, come by until Sunday."
"""


def baseline(path: Path) -> None:
    ManifestTable.model_validate(tomli.loads(path.read_text(encoding="utf-8")))


def plan(path: Path) -> None:
    planner = Dispatcher.open(third_party=False).planner([path])
    planned = sum(1 for _ in planner.plan(lambda keys: {}))
    assert planned == MESSAGES, planned


def cpu_seconds(function: Callable[[Path], None], path: Path) -> float:
    start = time.process_time()
    function(path)
    return time.process_time() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "many.toml")
        path.write_text(HEAD + "".join(MESSAGE.format(number=n) for n in range(MESSAGES)))
        rounds = [(cpu_seconds(baseline, path), cpu_seconds(plan, path)) for _ in range(ROUNDS)]
    base = statistics.median(first for first, _ in rounds)
    ours = statistics.median(second for _, second in rounds)
    print(f"tomli + pydantic   {base:6.3f} s")
    print(f"load and plan      {ours:6.3f} s  {ours / base:.2f}x")


if __name__ == "__main__":
    main()
