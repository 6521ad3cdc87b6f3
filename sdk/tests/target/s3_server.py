"""A real S3 server (moto's, a process of its own), and what tests do behind a store's back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import uuid4

import boto3  # pyright: ignore[reportMissingTypeStubs]


@dataclass(frozen=True)
class S3Server:
    """A running server, and one of its buckets."""

    endpoint: str
    bucket: str

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that lead to the server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }

    def with_new_bucket(self) -> S3Server:
        name = f"bucket-{uuid4().hex}"
        request(f"{self.endpoint}/{name}", "PUT")
        return S3Server(self.endpoint, name)

    def keys(self) -> list[str]:
        """Return what is in the bucket, as another client sees it."""
        listed = self._client().list_objects_v2(Bucket=self.bucket)
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def unfinished_uploads(self) -> list[Any]:
        return self._client().list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])

    def _client(self) -> Any:
        return boto3.Session().client(  # pyright: ignore
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )


def request(url: str, method: str, data: bytes | None = None) -> None:
    headers = {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)).close()


@contextmanager
def running(**environment: str) -> Generator[S3Server]:
    """Run a server on a free port; `environment` adds to its variables."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stderr=log, env={**os.environ, **environment})
        try:
            yield S3Server(_address(process, log), "")
        finally:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: IO[str]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        log.seek(0)
        if found := re.search(r"Running on (http://\S+)", log.read()):
            return found[1]
        time.sleep(0.02)
    log.seek(0)
    raise RuntimeError(f"the S3 server did not start: {log.read()}")
