"""The settings of the server, and where each comes from.

A setting is an option of the command line, else a variable of the environment
(`STARDAG_SERVER_` and the name in capitals), else its default.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import platformdirs
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from stardag_server.domain.retention import DEFAULT_DAYS
from stardag_server.log import LEVELS

PREFIX = "STARDAG_SERVER_"
DEFAULT_PORT = 7465
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
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class SettingInvalid(Exception):
    """A setting can't be used; the message names it and says what would do."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set."""

    host: str
    port: int
    data_dir: Path
    database_url: sa.URL
    token_file: Path
    reflection: bool
    retention_days: int
    log_level: str
    tls_certificate: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    sources: Mapping[str, str]
    """Where each value comes from: "option", "environment" or "default"."""

    def describe(self) -> list[str]:
        """Return a line for each setting, with its source and without passwords."""
        return [
            f"{spec.name} = {_shown(getattr(self, spec.name))} ({self.sources[spec.name]})"
            for spec in fields(self)
            if spec.name != "sources"
        ]


def load(options: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Return the settings, given the options (None where not given) and the environment.

    Raises SettingInvalid.
    """
    names = [spec.name for spec in fields(Settings) if spec.name != "sources"]
    given: dict[str, Any] = {}
    sources = dict.fromkeys(names, "default")
    for name in names:
        variable = PREFIX + name.upper()
        if options.get(name) is not None:
            given[name], sources[name] = options[name], "option"
        elif environment.get(variable):
            given[name], sources[name] = environment[variable], "environment"
    data_dir = (
        Path(given.get("data_dir", platformdirs.user_data_path("stardag-server")))
        .expanduser()
        .absolute()
    )
    default_url = sa.URL.create(_DRIVERS["sqlite"], database=str(data_dir / "stardag.sqlite"))
    certificate, key, client_ca = _tls_files(given)
    return Settings(
        host=_host(given.get("host", "127.0.0.1"), certificate is not None),
        port=_port(given.get("port", DEFAULT_PORT)),
        data_dir=data_dir,
        database_url=_database_url(given["database_url"])
        if "database_url" in given
        else default_url,
        token_file=Path(given.get("token_file", data_dir / "token")).expanduser().absolute(),
        reflection=_flag("reflection", given.get("reflection", False)),
        retention_days=_days("retention_days", given.get("retention_days", DEFAULT_DAYS)),
        log_level=_log_level(given.get("log_level", "info")),
        tls_certificate=certificate,
        tls_key=key,
        tls_client_ca=client_ca,
        sources=sources,
    )


def default_token_file() -> Path:
    """Return the token file that the SDK on this machine finds by itself."""
    return platformdirs.user_data_path("stardag-server") / "token"


def _tls_files(given: Mapping[str, Any]) -> list[Path | None]:
    names = ("tls_certificate", "tls_key", "tls_client_ca")
    files = [Path(given[name]).expanduser().absolute() if name in given else None for name in names]
    if any(files) and not all(files[:2]):
        missing = names[0] if files[0] is None else names[1]
        raise SettingInvalid(f"{missing}: is not set; TLS needs both tls_certificate and tls_key")
    return files


def _host(value: str, tls: bool) -> str:
    loopback = value == "localhost"
    if not loopback:
        try:
            loopback = ipaddress.ip_address(value).is_loopback
        except ValueError:
            loopback = False
    if not loopback and not tls:
        raise SettingInvalid(
            f"host = {value!r}: without TLS the server listens on loopback only (127.0.0.1,"
            " ::1 or localhost); set tls_certificate and tls_key"
        )
    return value


def _port(value: object) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise SettingInvalid(f"port = {text!r}: must be a number from 0 (any) to 65535")
    return int(text)


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


def _log_level(value: str) -> str:
    if value.lower() not in LEVELS:
        raise SettingInvalid(f"log_level = {value!r}: must be one of {', '.join(LEVELS)}")
    return value.lower()
