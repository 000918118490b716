"""`s3://bucket/key` and `s3://bucket/key?versionId=…`: where an object is."""

from __future__ import annotations

import re
from typing import NamedTuple

from dispatcher import SourceError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_KEY = 1024  # bytes of UTF-8, as S3 has it
_SCHEME = "s3://"


class Location(NamedTuple):
    """An object; without `version`, the one that the bucket has at the time."""

    bucket: str
    key: str
    version: str | None = None

    def __str__(self) -> str:
        version = f"?versionId={self.version}" if self.version else ""
        return f"{_SCHEME}{self.bucket}/{self.key}{version}"

    @property
    def filename(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def parameters(self) -> dict[str, str]:
        """What S3's operations call these."""
        version = {"VersionId": self.version} if self.version else {}
        return {"Bucket": self.bucket, "Key": self.key, **version}


def parse(source: str) -> Location | None:
    """Return the location of a source, or None if it is not in S3. Raises SourceError."""
    if not source.lower().startswith(_SCHEME):
        return None
    bucket, _, path = source[len(_SCHEME) :].partition("/")
    key, mark, version = path.rpartition("?versionId=")
    location = Location(bucket, key, version) if mark else Location(bucket, path)
    fault = _fault(location)
    if fault:
        raise SourceError(f"{fault}; write s3://bucket/key")
    return location


def _fault(location: Location) -> str | None:
    if not _BUCKET.fullmatch(location.bucket):
        return f'"{location.bucket[:63]}" is not the name of a bucket'
    if not location.filename:
        return "it names no object in the bucket"
    if not str(location).isprintable() or len(location.key.encode()) > _LONGEST_KEY:
        return "the object's key is too long, or holds characters that cannot be printed"
    if location.version == "":
        return "the version after ?versionId= is missing"
    return None
