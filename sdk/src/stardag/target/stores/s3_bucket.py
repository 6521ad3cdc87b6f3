"""A client of one bucket, configured by the standard AWS variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from obstore.store import S3Store

from stardag._errors import ConfigError

if TYPE_CHECKING:
    from obstore.store import S3Config, S3CredentialProvider

# With one of these, obstore finds the credentials by itself.
_OWN_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)


_runtime: dict[str, int] = {}


def use_runtime() -> None:
    """Note that this process uses obstore, whose threads a fork would leave behind.

    Raises `ConfigError` if it was forked from one that did: requests would never be answered.
    """
    if _runtime.setdefault("pid", os.getpid()) != os.getpid():
        raise ConfigError(
            "S3 can't be used in this process: it was forked from one that had used S3 before; "
            "start processes by multiprocessing's 'spawn' or 'forkserver'"
        )


def connect(bucket: str) -> S3Store:
    """Return the client that the AWS variables configure; nothing is sent yet.

    Credentials come from the variables, or else, where boto3 is installed, from wherever it
    finds some: AWS_PROFILE and the files of the AWS command, SSO, the machine's role. Without
    boto3, from the machine's role.

    Raises `ConfigError` if boto3 finds none, or if the endpoint is no URL.
    """
    endpoint = _endpoint()
    provider = None if any(map(os.environ.get, _OWN_CREDENTIALS)) else _found_by_boto3()
    config: S3Config = {"endpoint": endpoint} if endpoint else {}
    allow_http = bool(endpoint and endpoint.startswith("http://"))
    return S3Store(
        bucket,
        config=config,
        client_options={"allow_http": allow_http},
        credential_provider=provider,
    )


def _endpoint() -> str | None:
    """Return the server's URL, or None for AWS."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if endpoint := os.environ.get(name):
            if not endpoint.startswith(("http://", "https://")):
                raise ConfigError(f"{name} is {endpoint!r}; write http://... or https://...")
            return endpoint
    return None


def _found_by_boto3() -> S3CredentialProvider | None:
    """Return what boto3 finds, or None without boto3."""
    try:
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ModuleNotFoundError:
        return None
    try:
        return Boto3CredentialProvider()
    except (ValueError, BotoCoreError) as error:
        raise ConfigError(
            f"there are no AWS credentials ({error}): set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        ) from None
