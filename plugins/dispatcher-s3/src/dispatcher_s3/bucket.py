"""Calls S3, through boto3 and with its credentials."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Annotated, Any, BinaryIO, cast

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher import SourceError
from dispatcher_s3.location import Location

LONGEST = 7 * 24 * 3600  # seconds; AWS signs no link for longer


class S3Settings(BaseSettings):
    """`[plugins.s3]` in dispatcher.toml; boto3 finds the credentials.

    A link works for `expires` seconds. In the environment: DISPATCHER_S3_UPLOAD, and so on.

    `region` defaults to what boto3 finds: AWS_REGION, or the profile's. `endpoint_url` is for other
    storage than Amazon's.
    """

    model_config = SettingsConfigDict(
        env_prefix="DISPATCHER_S3_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    upload: bool = Field(
        default=False,
        description="Whether files are uploaded to the gateway, and not sent as links.",
        examples=[True],
    )
    expires: Annotated[int, Field(ge=60, le=LONGEST)] = Field(
        default=24 * 3600,
        description="The seconds for which a link works.",
        examples=[3600],
    )
    region: str | None = Field(
        default=None,
        description="By default, what boto3 finds: AWS_REGION, or the profile's.",
        examples=["eu-central-1"],
    )
    endpoint_url: str | None = Field(
        default=None,
        description="The address of other storage than Amazon's.",
        examples=["https://storage.example.com"],
    )


class Bucket:
    """Signs links and opens objects; boto3 is loaded at the first use."""

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._sign = lru_cache(maxsize=4096)(self._newly_signed)

    def signed(self, location: Location) -> str:
        """Return a link to an object, made on this machine. Raises SourceError.

        It is the same for a quarter of its lifetime, so that everybody in a run gets the same.
        """
        return self._sign(location, int(time.time() / (self._settings.expires / 4)))

    def open(self, location: Location) -> BinaryIO:
        """Return an object's content as a stream. Raises OSError."""
        try:
            answer = self._client.get_object(**location.parameters)
        except self._errors as error:
            raise OSError(f"{location}: {error}") from None
        return cast("BinaryIO", answer["Body"])

    def _newly_signed(self, location: Location, _: int) -> str:
        parameters, expires = location.parameters, self._settings.expires
        try:
            sign: Callable[..., str] = self._client.generate_presigned_url
            return sign("get_object", Params=parameters, ExpiresIn=expires)
        except self._errors as error:
            raise SourceError(f'cannot make a link to "{location}": {error}') from None

    @cached_property
    def _client(self) -> Any:
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]

        # By default, boto3 signs for the host of all regions, which redirects most of them.
        style = "auto" if self._settings.endpoint_url else "virtual"
        return boto3.Session().client(
            "s3",
            region_name=self._settings.region,
            endpoint_url=self._settings.endpoint_url,
            config=Config(signature_version="s3v4", s3={"addressing_style": style}),
        )

    @cached_property
    def _errors(self) -> tuple[type[Exception], ...]:
        from botocore.exceptions import (  # type: ignore[import-untyped]
            BotoCoreError,
            ClientError,
        )

        return BotoCoreError, ClientError, ValueError
