"""The page about tests for plugins: every example is a test file that passes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "testing-plugins.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_passes(tmp_path: Path, run_samples: Callable[..., Any], example: str) -> None:
    file = tmp_path / "test_example.py"
    file.write_text(example, encoding="utf-8")
    ended = run_samples(file)
    assert not ended.failed, ended.said
    assert " passed" in ended.said, ended.said
