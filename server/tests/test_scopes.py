"""Who may call what."""

from grpc_health.v1 import health_pb2
from test_transport import contract_methods

from stardag.v1.auth_pb2 import SCOPE_ADMIN, SCOPE_INGEST, SCOPE_OPERATOR, SCOPE_READ
from stardag_server.domain.scopes import ACCESS, Access, allows
from stardag_server.transport.reflection import VERSIONS

PUBLISH = "/stardag.v1.EventService/PublishEvents"
GET_BUILD = "/stardag.v1.BuildService/GetBuild"
CREATE_KEY = "/stardag.v1.AuthService/CreateKey"
CREATE_WORKSPACE = "/stardag.v1.WorkspaceService/CreateWorkspace"
GET_CALLER = "/stardag.v1.AuthService/GetCaller"


def test_every_method_that_is_served_has_a_row_and_no_other():
    served = {path for path, _, _ in contract_methods()}
    for service in (health_pb2.DESCRIPTOR.services_by_name["Health"], *VERSIONS):
        served |= {f"/{service.full_name}/{method.name}" for method in service.methods}
    assert set(ACCESS) == served


def test_health_alone_is_public():
    public = {method for method, access in ACCESS.items() if access is Access.PUBLIC}
    assert public == {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}


def test_a_method_without_a_row_is_nobodys():
    assert not allows([SCOPE_OPERATOR], "/stardag.v1.BuildService/DeleteEverything")


def test_ingest_and_read_do_not_include_each_other():
    assert allows([SCOPE_INGEST], PUBLISH) and not allows([SCOPE_INGEST], GET_BUILD)
    assert allows([SCOPE_READ], GET_BUILD) and not allows([SCOPE_READ], PUBLISH)
    assert allows([SCOPE_INGEST, SCOPE_READ], PUBLISH)


def test_admin_may_do_all_in_its_workspace_and_nothing_beyond():
    assert allows([SCOPE_ADMIN], PUBLISH) and allows([SCOPE_ADMIN], GET_BUILD)
    assert allows([SCOPE_ADMIN], CREATE_KEY) and not allows([SCOPE_ADMIN], CREATE_WORKSPACE)
    assert not allows([SCOPE_INGEST, SCOPE_READ], CREATE_KEY)


def test_an_operator_may_do_everything():
    assert all(allows([SCOPE_OPERATOR], method) for method in ACCESS)


def test_a_credential_without_scopes_may_ask_who_it_is():
    assert allows([], GET_CALLER) and not allows([], GET_BUILD)
