"""Runs samples of tests, as a third party would."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

SAMPLES = Path(__file__).with_name("samples")


class Run(NamedTuple):
    """What pytest said, and the tests that failed, by the class's name without "Test"."""

    said: str
    failed: dict[str, set[str]]


@pytest.fixture(scope="session")
def run_samples(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Run a file of samples, or only some nodes of it: "Drive::test_it_is_pure"."""

    def run(file: str | Path, *nodes: str) -> Run:
        report = tmp_path_factory.mktemp("report") / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
        options = ["-rsE", f"--rootdir={SAMPLES}", f"--junitxml={report}"]
        tests = [f"{SAMPLES / file}::Test{node}" for node in nodes] or [str(SAMPLES / file)]
        ended = subprocess.run(
            [*command, *options, *tests],
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(ended.stdout + ended.stderr, _failed(report))

    return run


@pytest.fixture(scope="module")
def failed(request: pytest.FixtureRequest, run_samples: Callable[..., Run]) -> dict[str, set[str]]:
    """The tests that failed, of those of the module's SAMPLES that are EXPECTED to."""
    expected = (f"{kind}::test_{test}" for kind, test in request.module.EXPECTED)
    ended = run_samples(request.module.SAMPLES, *expected)
    assert ended.failed, ended.said
    return ended.failed


def _failed(report: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            kind = case.attrib["classname"].rpartition(".Test")[2]
            found[kind].add(case.attrib["name"].partition("[")[0].removeprefix("test_"))
    return found
