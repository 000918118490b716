"""Files that belong to a plugin: settings that name them, and TOML that a model of it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from dispatcher import validation_errors
from dispatcher.errors import ManifestError

PROJECT_PATH: Final = "project path"  # marks fields in their metadata

ProjectPath: TypeAlias = Annotated[Path, PROJECT_PATH]
"""A path in a plugin's or transport's settings: relative to the folder of dispatcher.toml."""

Read = TypeVar("Read", bound=BaseModel)


def read_toml_model(path: Path, model: type[Read]) -> Read:
    """Return what a TOML file holds, as a model reads it.

    Raises ManifestError: all that is wrong with the file, each problem with its line.
    """
    from dispatcher.toml.file import read_toml  # few plugins have files

    file = read_toml(path)
    try:
        return model.model_validate(file.data)
    except ValidationError as invalid:
        problems = []
        for error in invalid.errors(include_url=False):
            where = validation_errors.path_in(file.data, error)
            known = validation_errors.known_keys(model, where[:-1])
            unknown = error["type"] == "extra_forbidden"
            sentence = validation_errors.sentence(error, known)
            problems.append(file.problem(where, sentence, key=unknown))
        raise ManifestError(problems) from None
