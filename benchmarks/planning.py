"""Loading and planning 10,000 messages in one file: microseconds of CPU for each of them.

    python benchmarks/planning.py

Ours merges defaults, fills in templates, normalises recipients, validates and builds every message,
checks its payload and computes its digest. For how fast the machine is there are two pieces of work
beside it: to read the same file with tomli and the models of a manifest alone, and to write as many
payloads as JSON and to read them. Rounds take turns in one process.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tomli

from dispatcher.api import Dispatcher
from dispatcher.manifest.kinds import Kinds

MESSAGES = 10_000
ROUNDS = 7
GOAL = 60  # microseconds
HEAD = 'manifest = 1\n[defaults]\npreview_url = false\n[vars]\nshop = "Acme"\n'
MESSAGE = """
[[messages]]
id = "message-{number}"
to = "7900{number:07}"
text.body = "Hello {number} from {{{{ shop }}}}: your order is ready, come by until Sunday."
"""
PAYLOAD = {
    "recipient_type": "individual",
    "to": "79000000000",
    "type": "text",
    "text": {"body": "Hello 1 from Acme: your order is ready, come by until Sunday."},
    "preview_url": False,
}


def encode(path: Path) -> None:
    for _ in range(MESSAGES):
        json.loads(json.dumps(PAYLOAD))


def read(path: Path) -> None:
    Kinds({}).manifest_table.model_validate(tomli.loads(path.read_text(encoding="utf-8")))


def plan(path: Path) -> None:
    planner = Dispatcher.open(third_party=False).planner([path])
    planned = sum(1 for _ in planner.plan())
    assert planned == MESSAGES, planned


def cpu_seconds(function: Callable[[Path], None], path: Path) -> float:
    start = time.process_time()
    function(path)
    return time.process_time() - start


def main() -> None:
    cases = {"JSON": encode, "tomli + pydantic": read, "load and plan": plan}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "many.toml")
        path.write_text(HEAD + "".join(MESSAGE.format(number=n) for n in range(MESSAGES)))
        rounds = [[cpu_seconds(case, path) for case in cases.values()] for _ in range(ROUNDS)]
    medians = map(statistics.median, zip(*rounds, strict=True))
    json_, models, ours = (seconds / MESSAGES * 1e6 for seconds in medians)
    print(f"JSON               {json_:6.1f} us a message")
    print(f"tomli + pydantic   {models:6.1f} us")
    ratios = f"{ours / json_:.1f}x, {ours / models:.2f}x"
    print(f"load and plan      {ours:6.1f} us  {ratios}  (goal {GOAL} us)")


if __name__ == "__main__":
    main()
