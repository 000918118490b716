"""The OpenAPI document is true: schemathesis, which tries what it allows, finds nothing."""

import subprocess
import sys
from pathlib import Path

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "unsupported_method",
    "content_type_conformance",
    "response_schema_conformance",
)


# Faults would spoil what comes after them, and /api/wait waits as long as it is told.
@cases(
    "paths",
    ("--exclude-path", "/api/faults", "--exclude-path", "/api/wait"),
    ("--include-path", "/api/faults"),
    ids=["all but the faults", "the faults"],
)
def test_every_answer_is_as_described(
    paths: tuple[str, ...], sandbox: SandboxProcess, tmp_path: Path
) -> None:
    options = {
        "--checks": ",".join(CHECKS),
        "--phases": "coverage,fuzzing",
        "--max-examples": "15",
        "--header": "Authorization: Bearer any",
        "--request-timeout": "30",
        "--seed": "1",
    }
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", "--no-color"]
    pairs = [word for pair in options.items() for word in pair]
    address = f"{sandbox.url}/api/openapi.json"

    run = subprocess.run(
        [*command, *paths, *pairs, address],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
