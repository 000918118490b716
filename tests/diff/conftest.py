"""A project in git, with no gateway: nothing here sends."""

from pathlib import Path

import pytest

from tests.support.project import Project


@pytest.fixture
def offline(tmp_path: Path) -> Project:
    """An empty project."""
    (tmp_path / "project").mkdir()
    return Project(tmp_path / "project")
