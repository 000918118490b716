"""What `[plugins.s3]` in dispatcher.toml may hold; credentials are boto3's affair."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

LONGEST = 7 * 24 * 3600  # seconds; AWS signs no link for longer


class S3Settings(BaseSettings):
    """`expires`: seconds that a link works. In the environment: DISPATCHER_S3_UPLOAD, and so on.

    `region` defaults to what boto3 finds: AWS_REGION, or the profile's. `endpoint_url`: of another
    storage than Amazon's.
    """

    model_config = SettingsConfigDict(
        env_prefix="DISPATCHER_S3_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    upload: bool = False
    expires: Annotated[int, Field(ge=60, le=LONGEST)] = 24 * 3600
    region: str | None = None
    endpoint_url: str | None = None
