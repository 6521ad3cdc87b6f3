"""The settings of the server, and where each comes from.

A setting is an option of the command line, else a variable of the environment
(`STARDAG_SERVER_` and the name in capitals), else what a TOML file says, else its default.
"""

import difflib
import ipaddress
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from stardag_server.domain.retention import DEFAULT_DAYS
from stardag_server.log import FORMATS, LEVELS

PREFIX = "STARDAG_SERVER_"
DEFAULT_PORT = 7465
DEFAULT_HTTP_PORT = 7466
_DRIVERS = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
_POSTGRES_OPTIONS = (
    "host",
    "port",
    "user",
    "password",
    "passfile",
    "ssl",
    "sslmode",
    "target_session_attrs",
    "prepared_statement_cache_size",
)
_MAX_DAYS = 36_500
_MAX_SECONDS = 3_600
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class SettingInvalid(Exception):
    """A setting can't be used; the message names it and says what would do."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set."""

    host: str
    port: int
    http_host: str
    http_port: int | None
    data_dir: Path
    database_url: sa.URL
    token_file: Path
    pepper_file: Path
    oidc_issuer: str
    oidc_audience: str
    oidc_scopes_claim: str
    oidc_workspace_claim: str
    reflection: bool
    retention_days: int
    drain_seconds: float
    log_level: str
    log_format: str
    tls_certificate: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    tls_principals: Path | None
    insecure_plaintext: bool
    sources: Mapping[str, str]
    """Where each value comes from: "option", "environment", the path of a file, or "default"."""

    def describe(self) -> list[str]:
        """Return a line for each setting, with its source and without passwords."""
        return [
            f"{spec.name} = {_shown(getattr(self, spec.name))} ({self.sources[spec.name]})"
            for spec in fields(self)
            if spec.name != "sources"
        ]


def load(options: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Return the settings, given the options (None where not given) and the environment.

    The file is the option `config`, else the variable STARDAG_SERVER_CONFIG, else `server.toml`
    in the user's configuration folder, if it is there. Raises SettingInvalid.
    """
    names = [spec.name for spec in fields(Settings) if spec.name != "sources"]
    file, in_file = _read_file(options.get("config") or environment.get(f"{PREFIX}CONFIG"), names)
    given: dict[str, Any] = {}
    sources = dict.fromkeys(names, "default")
    for name in names:
        variable = PREFIX + name.upper()
        if options.get(name) is not None:
            given[name], sources[name] = options[name], "option"
        elif environment.get(variable):
            given[name], sources[name] = environment[variable], "environment"
        elif name in in_file:
            given[name], sources[name] = in_file[name], str(file)
    data_dir = _path(given.get("data_dir", platformdirs.user_data_path("stardag-server")))
    default_url = sa.URL.create(_DRIVERS["sqlite"], database=str(data_dir / "stardag.sqlite"))
    certificate, key, client_ca = _tls_files(given)
    plaintext = _flag("insecure_plaintext", given.get("insecure_plaintext", False))
    return Settings(
        host=_host(given.get("host", "127.0.0.1"), certificate is not None or plaintext),
        port=_port("port", given.get("port", DEFAULT_PORT)),
        http_host=str(given.get("http_host", "127.0.0.1")),
        http_port=_http_port(given.get("http_port", DEFAULT_HTTP_PORT)),
        data_dir=data_dir,
        database_url=_database_url(given["database_url"])
        if "database_url" in given
        else default_url,
        token_file=_path(given.get("token_file", data_dir / "token")),
        pepper_file=_path(given.get("pepper_file", data_dir / "pepper")),
        oidc_issuer=_issuer(given.get("oidc_issuer", ""), given.get("oidc_audience", "")),
        oidc_audience=str(given.get("oidc_audience", "")),
        oidc_scopes_claim=str(given.get("oidc_scopes_claim", "scope")),
        oidc_workspace_claim=str(given.get("oidc_workspace_claim", "stardag_workspace")),
        reflection=_flag("reflection", given.get("reflection", False)),
        retention_days=_days("retention_days", given.get("retention_days", DEFAULT_DAYS)),
        drain_seconds=_seconds("drain_seconds", given.get("drain_seconds", 0)),
        log_level=_choice("log_level", given.get("log_level", "info"), LEVELS),
        log_format=_choice("log_format", given.get("log_format", "text"), FORMATS),
        tls_certificate=certificate,
        tls_key=key,
        tls_client_ca=client_ca,
        tls_principals=_principals_file(given, client_ca),
        insecure_plaintext=plaintext,
        sources=sources,
    )


def default_token_file() -> Path:
    """Return the token file that the SDK on this machine finds by itself."""
    return platformdirs.user_data_path("stardag-server") / "token"


def _path(value: object) -> Path:
    return Path(str(value)).expanduser().absolute()


def _issuer(issuer: str, audience: str) -> str:
    if not issuer:
        return ""
    if not audience:
        raise SettingInvalid(
            "oidc_audience: must be set with oidc_issuer, or tokens for other services would do"
        )
    parts = urlsplit(issuer)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise SettingInvalid(f"oidc_issuer = {issuer!r}: must be a URL with https")
    return issuer


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tls_files(given: Mapping[str, Any]) -> list[Path | None]:
    names = ("tls_certificate", "tls_key", "tls_client_ca")
    files = [_path(given[name]) if name in given else None for name in names]
    if any(files) and not all(files[:2]):
        missing = names[0] if files[0] is None else names[1]
        raise SettingInvalid(f"{missing}: is not set; TLS needs both tls_certificate and tls_key")
    return files


def _principals_file(given: Mapping[str, Any], client_ca: Path | None) -> Path | None:
    if "tls_principals" not in given:
        return None
    if client_ca is None:
        raise SettingInvalid(
            "tls_principals: needs tls_client_ca, or certificates that anybody made would count"
        )
    return _path(given["tls_principals"])


def _host(value: str, may_be_open: bool) -> str:
    if not _is_loopback(value) and not may_be_open:
        raise SettingInvalid(
            f"host = {value!r}: without TLS the server listens on loopback only (127.0.0.1,"
            " ::1 or localhost); set tls_certificate and tls_key"
        )
    return value


def _port(name: str, value: object) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise SettingInvalid(f"{name} = {text!r}: must be a number from 0 (any) to 65535")
    return int(text)


def _http_port(value: object) -> int | None:
    return None if str(value).lower() == "off" else _port("http_port", value)


def _database_url(value: str) -> sa.URL:
    try:
        url = sa.make_url(value)
    except ArgumentError:
        # The text may hold a password, so it is not shown.
        raise SettingInvalid("database_url: is not a URL") from None
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None or url.drivername not in (driver, url.get_backend_name()):
        raise SettingInvalid(
            f"database_url: scheme {url.drivername!r} is not served; use"
            " postgresql+asyncpg://user@host/name or sqlite+aiosqlite:////path"
        )
    if not url.database or url.database == ":memory:":
        raise SettingInvalid("database_url: names no database")
    return _with_options(url.set(drivername=driver))


def _with_options(url: sa.URL) -> sa.URL:
    """Return the URL with its query as the driver takes it; the values may be secrets."""
    known = _POSTGRES_OPTIONS if url.get_backend_name() == "postgresql" else ()
    for name, value in url.query.items():
        if name not in known:
            raise SettingInvalid(
                f"database_url: option {name!r} is not known; there are"
                f" {', '.join(known) or 'none for SQLite'}"
            )
        if name in ("ssl", "sslmode") and value not in _SSL_MODES:
            raise SettingInvalid(f"database_url: {name} must be one of {', '.join(_SSL_MODES)}")
        if name in ("port", "prepared_statement_cache_size") and not str(value).isdecimal():
            raise SettingInvalid(f"database_url: {name} must be a number")
    mode = url.query.get("sslmode")
    # The driver knows the option by another name than libpq does.
    return (
        url
        if mode is None
        else url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    )


def _shown(value: object) -> str:
    """Return a value without passwords, which may hide in the query of a URL too."""
    if not isinstance(value, sa.URL) or not value.query:
        return str(value)
    options = "&".join(f"{name}=***" for name in value.query)
    return f"{value.set(query={})}?{options}"


def _flag(name: str, value: object) -> bool:
    match str(value).lower():
        case "true" | "1" | "yes":
            return True
        case "false" | "0" | "no":
            return False
        case _:
            raise SettingInvalid(f"{name} = {value!r}: must be true or false")


def _days(name: str, value: object) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_DAYS:
        raise SettingInvalid(f"{name} = {text!r}: must be 0 (for ever) to {_MAX_DAYS} days")
    return int(text)


def _seconds(name: str, value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _MAX_SECONDS:
        raise SettingInvalid(f"{name} = {value!r}: must be 0 to {_MAX_SECONDS} seconds")
    return seconds


def _choice(name: str, value: object, choices: Sequence[str]) -> str:
    text = str(value).lower()
    if text not in choices:
        raise SettingInvalid(f"{name} = {value!r}: must be one of {', '.join(choices)}")
    return text


def _read_file(named: object, names: Sequence[str]) -> tuple[Path, dict[str, Any]]:
    """Return the file of settings and what it has; nothing if there is none, and none is named."""
    file = Path(str(named)).expanduser() if named else _default_file()
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        if named:
            raise SettingInvalid(f"config = {str(file)!r}: there is no such file") from None
        return file, {}
    except (OSError, ValueError) as error:
        raise SettingInvalid(f"config = {str(file)!r}: can't be read: {error}") from None
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"
            raise SettingInvalid(f"{file}: no setting is called {name!r}{hint}")
    return file, values


def _default_file() -> Path:
    return platformdirs.user_config_path("stardag-server") / "server.toml"
