"""Settings: where they come from, what is refused, what is never shown."""

from pathlib import Path

import pytest

from stardag_server.settings import SettingInvalid, load


def test_the_defaults_are_a_database_and_a_token_in_the_data_folder(tmp_path: Path):
    loaded = load({"data_dir": tmp_path}, {})
    assert (loaded.host, loaded.port) == ("127.0.0.1", 7465)
    assert loaded.database_url.database == str(tmp_path / "stardag.sqlite")
    assert loaded.token_file == tmp_path / "token"
    assert loaded.sources["port"] == "default"


def test_an_option_goes_before_the_environment(tmp_path: Path):
    environment = {"STARDAG_SERVER_PORT": "1", "STARDAG_SERVER_DATA_DIR": str(tmp_path)}
    loaded = load({"port": 2, "host": None}, environment)
    assert (loaded.port, loaded.data_dir) == (2, tmp_path)
    assert (loaded.sources["port"], loaded.sources["data_dir"]) == ("option", "environment")


def test_what_is_shown_has_no_password(tmp_path: Path):
    url = "postgresql://user:hunter2@db/name"
    loaded = load({"data_dir": tmp_path, "database_url": url}, {})
    assert loaded.database_url.drivername == "postgresql+asyncpg"
    shown = "\n".join(loaded.describe())
    assert "user" in shown and "hunter2" not in shown


def test_values_in_the_query_of_a_url_are_not_shown(tmp_path: Path):
    url = "postgresql://user@db/name?password=hunter2&sslmode=require"
    loaded = load({"data_dir": tmp_path, "database_url": url}, {})
    shown = "\n".join(loaded.describe())
    assert "hunter2" not in shown and "password" in shown


def test_the_mode_of_ssl_may_be_spelled_as_libpq_does():
    for name in ("ssl", "sslmode"):
        loaded = load({"database_url": f"postgresql://user@db/name?{name}=verify-full"}, {})
        assert loaded.database_url.query == {"ssl": "verify-full"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_may_be_listened_on(host: str):
    assert load({"host": host}, {}).host == host


def test_with_tls_any_address_may_be_listened_on(tmp_path: Path):
    files = {"tls_certificate": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    loaded = load({"host": "0.0.0.0", **files}, {})
    assert (loaded.host, loaded.tls_certificate, loaded.tls_client_ca) == (
        "0.0.0.0",
        tmp_path / "cert.pem",
        None,
    )


@pytest.mark.parametrize("given", ["tls_certificate", "tls_key", "tls_client_ca"])
def test_half_of_what_tls_needs_is_refused(given: str, tmp_path: Path):
    with pytest.raises(SettingInvalid, match="needs both tls_certificate and tls_key"):
        load({given: tmp_path / "file.pem"}, {})


def test_plaintext_off_loopback_is_refused_with_the_settings_that_allow_it():
    with pytest.raises(SettingInvalid, match="set tls_certificate and tls_key"):
        load({"host": "0.0.0.0"}, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "0.0.0.0"),
        ("host", "::"),
        ("host", "192.168.1.1"),
        ("host", "example.com"),
        ("retention_days", "-1"),
        ("retention_days", "36501"),
        ("retention_days", "1.5"),
        ("port", "-1"),
        ("port", "65536"),
        ("port", "http"),
        ("database_url", "hunter2"),
        ("database_url", "mysql://user:hunter2@db/name"),
        ("database_url", "postgresql+psycopg2://user:hunter2@db/name"),
        ("database_url", "postgresql://user:hunter2@db"),
        ("database_url", "sqlite://"),
        ("database_url", "sqlite:///:memory:"),
        ("database_url", "postgresql://u@db/name?sslmode=hunter2"),
        ("database_url", "postgresql://u@db/name?sslmode=require&sslmode=hunter2"),
        ("database_url", "postgresql://u@db/name?ssl_mode=hunter2"),
        ("database_url", "postgresql://u@db/name?port=hunter2"),
        ("database_url", "sqlite:////tmp/x?mode=hunter2"),
        ("reflection", "perhaps"),
        ("log_level", "loud"),
    ],
)
def test_what_can_not_be_used_is_refused_by_name(name: str, value: str):
    with pytest.raises(SettingInvalid) as caught:
        load({}, {f"STARDAG_SERVER_{name.upper()}": value})
    assert str(caught.value).startswith(name)
    assert "hunter2" not in str(caught.value)


def test_a_file_comes_after_the_environment_and_before_the_defaults(tmp_path: Path):
    file = tmp_path / "server.toml"
    file.write_text('port = 1\nhttp_port = "off"\nretention_days = 7\nlog_format = "json"\n')
    loaded = load({"config": file}, {"STARDAG_SERVER_PORT": "2"})
    assert (loaded.port, loaded.http_port, loaded.retention_days) == (2, None, 7)
    assert loaded.sources["retention_days"] == str(file)
    assert loaded.sources["port"] == "environment"
    assert load({}, {"STARDAG_SERVER_CONFIG": str(file)}).log_format == "json"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "did you mean port?"),
        ("colour = 1", "there are host, port"),
        ("port = [1]", "port = "),
        ("port = ", "can't be read"),
        ("drain_seconds = -1", "drain_seconds = "),
        ('log_format = "xml"', "text, json"),
        ("http_port = 70000", "http_port = "),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(tmp_path: Path, text: str, said: str):
    file = tmp_path / "server.toml"
    file.write_text(text)
    with pytest.raises(SettingInvalid) as refused:
        load({"config": file}, {})
    assert said in str(refused.value)


def test_a_named_file_must_be_there(tmp_path: Path):
    with pytest.raises(SettingInvalid, match="no such file"):
        load({"config": tmp_path / "none.toml"}, {})
