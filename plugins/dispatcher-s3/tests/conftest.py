"""S3 as moto has it, in a process of its own, and a folder in which the real command runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

from dispatcher.testing import run, sandbox

__all__ = ["run", "sandbox"]

CONTENT = b"%PDF-1.7 prices"
KEY = "2026/prices list ü.pdf"
SOURCE = f"s3://media/{KEY}"
PATIENCE = 60.0


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the developer's accounts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            foreign = name.upper().startswith(("AWS_", "DISPATCHER_", "GREENAPI_"))
            if foreign or name.upper().endswith("_PROXY"):
                patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "marker-secret-5d1c")
        patch.setenv("AWS_REGION", "eu-central-1")
        yield


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The address of an S3 that has one bucket with one object."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail("moto's server does not answer")


@pytest.fixture(scope="session")
def s3(endpoint: str) -> Any:
    """A client of that S3, and its bucket `media`."""
    client = boto3.Session().client("s3", endpoint_url=endpoint)
    client.create_bucket(
        Bucket="media", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return client


@pytest.fixture
def stored(s3: Any) -> Any:
    """The object has its content, whatever a test made of it before."""
    s3.put_object(Bucket="media", Key=KEY, Body=CONTENT)
    return s3
