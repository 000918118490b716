"""`dispatcher s3-lock`: read objects, and record what they contain."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from dispatcher import SourceError
from dispatcher_s3 import lock
from dispatcher_s3.bucket import Bucket
from dispatcher_s3.location import Location, parse

_PIECE = 1_048_576  # bytes


def lock_command(bucket: Bucket) -> click.Command:
    """Return the command, for the bucket's settings."""

    @click.command("s3-lock")
    @click.argument("sources", nargs=-1, metavar="[s3://BUCKET/KEY]…")
    @click.option(
        "--file",
        "path",
        type=click.Path(path_type=Path),
        default=Path(lock.NAME),
        help="The lock, beside the manifests that use it.",
        show_default=True,
    )
    def command(sources: tuple[str, ...], path: Path) -> int:
        """Note size and checksum of objects in s3.lock; without arguments, of all that it has."""
        entries = lock.read(path) if path.exists() else {}
        for location in map(_located, sources or entries):
            entries[str(location)] = _measured(bucket, location)
            click.echo(f"locked {location}", err=True)
        lock.write(path, entries)
        return 0

    return command


def _located(source: str) -> Location:
    location = parse(source)
    if location is None:
        raise SourceError(f'"{source}" is not s3://bucket/key')
    return location


def _measured(bucket: Bucket, location: Location) -> lock.Entry:
    digest, size = hashlib.sha256(), 0
    try:
        with bucket.open(location) as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
                size += len(piece)
    except Exception as error:  # also botocore's, of a connection that breaks
        raise SourceError(f"cannot read the object: {error}") from None
    return lock.Entry(digest.hexdigest(), size)
