"""What is particular to S3: keys as others see them, uploads, settings, and what goes wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from obstore.store import S3Store as Bucket

import stardag as sd
from stardag.target import FileSystemTarget, TargetFactory, exists_many
from stardag.target.serialize import BytesSerializer
from stardag.target.stores.s3 import S3Store

from .faulty_server import Answer, in_front_of
from .s3_server import S3Server, running

LARGE = b"x" * 20_000_000
"""More than two parts of an upload."""


def target_in(bucket: str, key: str = "key", store: S3Store | None = None) -> FileSystemTarget[Any]:
    return FileSystemTarget(store or S3Store(), f"{bucket}/{key}", BytesSerializer())


def impatient(endpoint: str) -> S3Store:
    """Return a store at `endpoint` that tries once."""

    def bucket(name: str) -> Bucket:
        return Bucket(
            name,
            config={"endpoint": endpoint},
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )

    return S3Store(bucket=bucket)


def test_an_object_has_the_key_that_its_uri_says(s3: S3Server) -> None:
    names = ["50%", "a b", "a#b", "a%20b", "a+b", "a/b/c.json", "q?x=1&y", "é", "日本"]
    factory = TargetFactory()
    for name in names:
        factory.get_target(f"s3://{s3.bucket}/{name}", serializer=BytesSerializer()).save(b"")
    assert s3.keys() == names


def test_many_targets_are_found_between_many_other_objects(s3: S3Server) -> None:
    store = S3Store()
    targets = [target_in(s3.bucket, f"type/{i // 20:02}/{i:04}", store) for i in range(400)]
    for i, target in enumerate(targets):
        if i % 2:
            target.save(b"")
        target_in(s3.bucket, f"type/{i // 20:02}/{i:04}-other", store).save(b"")
    assert exists_many(targets) == [bool(i % 2) for i in range(400)]


def test_a_failed_block_sends_nothing(s3: S3Server) -> None:
    with pytest.raises(RuntimeError), target_in(s3.bucket).open("wb") as file:
        file.write(LARGE)
        raise RuntimeError
    assert s3.keys() == []
    assert s3.unfinished_uploads() == []


def test_a_failed_upload_is_aborted(s3: S3Server) -> None:
    def refuse_parts(method: str, path: str, real: Answer) -> Answer:
        return Answer(403, {}, b"") if "partNumber=" in path else real

    with in_front_of(s3.endpoint, refuse_parts) as endpoint:
        target = target_in(s3.bucket, store=impatient(endpoint))
        with pytest.raises(sd.ConfigError, match="S3 refuses the request"):
            target.save(LARGE)
    assert s3.keys() == []
    assert s3.unfinished_uploads() == []


def test_an_object_that_arrives_in_part_is_an_error(s3: S3Server, tmp_path: Path) -> None:
    target_in(s3.bucket).save(LARGE)

    def cut(method: str, path: str, real: Answer) -> Answer:
        return real._replace(body=real.body[: len(real.body) // 2])

    with in_front_of(s3.endpoint, cut) as endpoint:
        target = target_in(s3.bucket, store=impatient(endpoint))
        with pytest.raises(OSError, match=f"s3://{s3.bucket}/key: "):
            target.load()


@pytest.fixture(params=["exists", "load", "save", "delete", "exists_many", "list"])
def use(request: pytest.FixtureRequest) -> Callable[[FileSystemTarget[bytes]], object]:
    """Every way to use a target that asks S3 something."""
    uses: dict[str, Callable[[FileSystemTarget[bytes]], object]] = {
        "exists": lambda target: target.exists(),
        "load": lambda target: target.load(),
        "save": lambda target: target.save(b""),
        "delete": lambda target: target.store.delete(target.path),
        "exists_many": lambda target: exists_many([target, target]),
        "list": lambda target: target.store.exists_many([f"{target.path}{i}" for i in range(100)]),
    }
    return uses[request.param]


def test_a_missing_bucket_is_an_error_that_names_it(
    s3: S3Server, use: Callable[[FileSystemTarget[bytes]], object]
) -> None:
    with pytest.raises(sd.ConfigError, match=r"s3://nowhere/key\d*: there is no bucket 'nowhere'"):
        use(target_in("nowhere"))


@pytest.fixture(scope="module")
def guarded_server() -> Iterator[S3Server]:
    """A server that checks credentials, and knows none."""
    with running(INITIAL_NO_AUTH_ACTION_COUNT="0") as server:
        yield server


def test_refused_credentials_are_an_error_that_says_which(
    guarded_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    use: Callable[[FileSystemTarget[bytes]], object],
) -> None:
    for name, value in guarded_server.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(sd.ConfigError, match=r"S3 refuses the request .*check AWS_ACCESS_KEY_ID"):
        use(target_in("some-bucket"))


def test_a_bucket_of_another_region_is_an_error_that_says_what_to_set(s3: S3Server) -> None:
    def redirect(method: str, path: str, real: Answer) -> Answer:
        body = b"<Error><Code>PermanentRedirect</Code></Error>"
        return Answer(301, {"Content-Length": str(len(body))}, body)

    with in_front_of(s3.endpoint, redirect) as endpoint:
        target = target_in(s3.bucket, store=impatient(endpoint))
        with pytest.raises(sd.ConfigError, match="another region; set AWS_REGION"):
            target.load()
        with pytest.raises(sd.ConfigError, match="another region; set AWS_REGION"):
            target.exists()


def test_a_server_that_is_not_there_is_an_os_error(s3: S3Server) -> None:
    target = target_in("bucket", store=impatient("http://127.0.0.1:1"))
    with pytest.raises(OSError, match=r"^s3://bucket/key: Generic S3 error.*\S$"):
        target.exists()


def test_an_endpoint_that_is_no_url_is_an_error_that_says_so(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    with pytest.raises(sd.ConfigError, match=r"AWS_ENDPOINT_URL is 'localhost:9000'.*http://"):
        target_in("bucket").exists()


@pytest.mark.parametrize("path", ["", "bucket", "bucket/", "/key"])
def test_a_path_without_bucket_or_key_is_no_object(path: str, s3: S3Server) -> None:
    target = FileSystemTarget(S3Store(), path, BytesSerializer())
    with pytest.raises(ValueError, match=f"s3://{path} names no object"):
        target.exists()
    with pytest.raises(ValueError, match=f"s3://{path} names no object"):
        target.save(b"")


def test_a_name_that_can_not_be_a_key_is_an_error_that_names_it(s3: S3Server) -> None:
    with pytest.raises(ValueError, match=r"s3://b/a//b can't be a key: .*empty path segment"):
        target_in("b", "a//b").save(b"")


def test_the_endpoint_for_s3_alone_comes_first(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
    target_in(s3.bucket).save(b"")
    assert s3.keys() == ["key"]


@pytest.fixture
def no_credentials(s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without credentials; returns where boto3 looks for a file of some."""
    file = tmp_path / "credentials"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    return file


@pytest.mark.usefixtures("no_credentials")
def test_no_credentials_are_an_error_that_says_how_to_set_some(s3: S3Server) -> None:
    with pytest.raises(sd.ConfigError, match=r"no AWS credentials \(.*\): set AWS_ACCESS_KEY_ID"):
        target_in(s3.bucket).exists()


def test_a_profile_has_credentials(
    s3: S3Server, no_credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_credentials.write_text("[team]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_PROFILE", "team")
    target_in(s3.bucket).save(b"")
    assert s3.keys() == ["key"]
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(sd.ConfigError, match=r"no AWS credentials.*nobody"):
        target_in(s3.bucket).exists()


def run_alone(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_without_obstore_the_error_says_what_to_install() -> None:
    code = """
import sys
sys.modules["obstore"] = None
import stardag as sd
try:
    sd.get_target("s3://bucket/key")
except sd.ConfigError as error:
    print(error)
"""
    assert run_alone(code).endswith("pip install 'stardag[s3]'")


def test_in_a_forked_process_it_is_an_error_and_no_hang(s3: S3Server) -> None:
    code = """
import os, sys
import stardag as sd
target = sd.get_target(sys.argv[1])
target.exists()
if os.fork() == 0:
    try:
        target.exists()
    except sd.ConfigError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""
    assert "spawn" in run_alone(code, f"s3://{s3.bucket}/key")


def test_stardag_loads_nothing_heavy_by_itself() -> None:
    code = """
import sys
import stardag, stardag.target.serialize
heavy = {"asyncio", "boto3", "numpy", "obstore", "pandas", "pickle", "polars", "pyarrow"}
print(*heavy & set(sys.modules))
"""
    assert run_alone(code) == ""


def test_a_large_object_is_never_in_memory_as_a_whole(s3: S3Server) -> None:
    code = """
import resource, sys
from stardag.target import TargetFactory
target = TargetFactory().get_target(sys.argv[1])
piece = b"x" * 1_000_000
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
with target.open("wb") as file:
    file.write(piece)
before = peak()
with target.open("wb") as file:
    for _ in range(200):
        file.write(piece)
with target.open("rb") as file:
    assert sum(len(content) for content in iter(lambda: file.read(1_000_000), b"")) == 200_000_000
print(peak() - before)
"""
    assert int(run_alone(code, f"s3://{s3.bucket}/large")) < 150_000_000
