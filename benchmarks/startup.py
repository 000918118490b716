"""Start-up of `dispatcher validate` on one manifest, as ratios to importing pydantic.

    python benchmarks/startup.py

Every case is a new process; cases take turns, and the best of all rounds counts, because whatever
else the machine does can only make a process slower. `import pydantic` alone loads little (it is
lazy), so the two steps that every user of pydantic takes next are shown beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 25
MANIFEST = """manifest = 1

[[messages]]
id = "hello"
to = "79001234567"
text.body = "Hello!"
"""
MODEL = "from pydantic import BaseModel\nclass Model(BaseModel):\n    field: int"

# Whoever installs packages has them compiled, ours like pydantic; in this folder Python does it.
ENVIRONMENT = {key: os.environ[key] for key in os.environ if key != "PYTHONDONTWRITEBYTECODE"}


def seconds(command: list[str], folder: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    python = sys.executable
    cases = {
        "python -c pass": [python, "-c", "pass"],
        "import pydantic": [python, "-c", "import pydantic"],
        "… and BaseModel": [python, "-c", "from pydantic import BaseModel"],
        "… and one model": [python, "-c", MODEL],
        "dispatcher validate": [python, "-m", "dispatcher", "validate", "hello.toml"],
    }
    best = dict.fromkeys(cases, float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "hello.toml").write_text(MANIFEST)
        for _ in range(ROUNDS):
            for name, command in cases.items():
                best[name] = min(best[name], seconds(command, folder))
    for name, value in best.items():
        print(f"{name:22} {value * 1000:7.1f} ms  {value / best['import pydantic']:5.2f}x")


if __name__ == "__main__":
    main()
