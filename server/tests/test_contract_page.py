"""What docs/contract.md lists is what there is."""

import re
from pathlib import Path

from test_transport import contract_methods

import stardag_server
from stardag.v1 import error_reason_pb2 as reasons
from stardag.v1.auth_pb2 import Scope
from stardag_server.domain.scopes import ACCESS, Access
from stardag_server.transport.status import _CODES

PAGE = (Path(__file__).parents[2] / "docs" / "contract.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_error_is_listed_with_its_code():
    listed = re.findall(r"^\| ([A-Z_]+) +\| ([A-Z_]+) ", section("Errors"), re.MULTILINE)
    codes = {reason: code.name for reason, code in _CODES.items()}
    codes[reasons.ERROR_REASON_INTERNAL_ERROR] = "INTERNAL"
    names = {
        reasons.ErrorReason.Name(reason).removeprefix("ERROR_REASON_"): code
        for reason, code in codes.items()
    }
    assert len(listed) == len(names) and {reason: code for code, reason in listed} == names


def test_every_service_is_listed():
    listed = re.findall(r"^\| `(\w+)` ", section("The services"), re.MULTILINE)
    served = {path.split("/")[1].removeprefix("stardag.v1.") for path, _, _ in contract_methods()}
    assert set(listed) == served


def test_what_is_not_served_yet_is_listed():
    services = Path(stardag_server.__file__).parent / "services"
    missing = {
        name
        for file in services.glob("*_service.py")
        for name in re.findall(r'NotImplementedHere\("([A-Z]\w+)"\)', file.read_text())
    }
    listed = re.findall(r"^- `\w+`: (.+)$", section("Not served yet"), re.MULTILINE)
    assert {name for line in listed for name in re.findall(r"`(\w+)`", line)} == missing


def test_every_scope_is_listed_and_what_needs_none():
    listed = re.findall(r"^\| ([A-Z]+) ", section("Credentials"), re.MULTILINE)
    assert {f"SCOPE_{name}" for name in listed} == set(Scope.keys()) - {"SCOPE_UNSPECIFIED"}
    methods = {
        path.removeprefix("/stardag.v1.").replace("/", ".")
        for path, access in ACCESS.items()
        if access is Access.CREDENTIAL and path.startswith("/stardag.v1.")
    }
    assert set(re.findall(r"`(\w+Service\.\w+)`", section("Credentials"))) == methods
