"""The mesh's pure rules."""

import pytest

from worker.mesh.credential import MeshCredential, find_credential, without_ours
from worker.mesh.errors import MissingToken, TokenInvalid
from worker.mesh.host import host_name
from worker.mesh.keys import KeySetInvalid, read_key_set
from worker.mesh.table import Backend, MeshTable, ProjectRoute, Visibility


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Shop.Zexio.App", "shop.zexio.app"),
        ("shop.zexio.app.", "shop.zexio.app"),
        ("shop.zexio.app.:8090", "shop.zexio.app"),
        ("[::1]:8090", "[::1]"),
        ("", ""),
        (":80", ""),
    ],
)
def test_case_port_and_trailing_dot_do_not_choose(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ([(b"Authorization", b"Bearer abc")], MeshCredential("abc", b"authorization")),
        ([(b"authorization", b"bearer  abc")], MeshCredential("abc", b"authorization")),
        (
            [(b"Authorization", b"Bearer abc"), (b"X-Mesh-Token", b"def")],
            MeshCredential("def", b"x-mesh-token"),
        ),
        (
            [(b"Authorization", b"Basic xyz"), (b"X-MESH-TOKEN", b"def")],
            MeshCredential("def", b"x-mesh-token"),
        ),
    ],
)
def test_the_mesh_token_is_found(fields: list[tuple[bytes, bytes]], found: MeshCredential) -> None:
    assert find_credential(fields) == found


def test_other_schemes_are_the_apps_and_doubles_are_nobodys() -> None:
    with pytest.raises(MissingToken):
        find_credential([(b"Authorization", b"Basic abc"), (b"Cookie", b"token=x")])
    for name in (b"Authorization", b"X-Mesh-Token"):
        with pytest.raises(TokenInvalid):
            find_credential([(name, b"Bearer a"), (name, b"Bearer b")])


def test_what_is_ours_never_comes_from_outside_in_any_spelling() -> None:
    outside = [
        (name, b"x")
        for name in (
            *(
                b"X-User-ID",
                b"x_user_id",
                b"X.Org.Id",
                b"X-REQUEST-ID",
                b"X-Forwarded-For",
                b"X_Forwarded_Proto",
            ),
            *(b"X-Forwarded-Anything", b"X-Mesh-Token", b"x.mesh.token", b"Forwarded", b"X-Plan-Limits"),
        )
    ]
    apps = [
        (b"Accept", b"1"),
        (b"Authorization", b"2"),
        (b"X-Forward", b"3"),
        (b"Cookie", b"4"),
        (b"cookie", b"5"),
    ]

    assert without_ours(outside + apps, None) == apps
    assert without_ours(apps, MeshCredential("t", b"authorization")) == [apps[0], *apps[2:]]


def test_a_key_set_is_read_member_by_member() -> None:
    good = '{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
    others = [
        '{"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB"}',
        '{"kty":"OKP","crv":"Ed25519","x":"AA","kid":"s"}',
        "7",
    ]

    assert list(read_key_set(f'{{"keys":[{",".join([*others, good])}]}}'.encode())) == ["a"]
    for nothing in (
        "",
        "[]",
        "{}",
        '{"keys":[]}',
        f'{{"keys":[{others[0]}]}}',
        '{"keys":[{"kty":"oct","k":"AA","kid":"h"}]}',
    ):
        with pytest.raises(KeySetInvalid):
            read_key_set(nothing.encode())


def route(project: str, *hosts: str) -> ProjectRoute:
    return ProjectRoute(
        project_id=project,
        org_id="o",
        visibility=Visibility.PUBLIC,
        public_hosts=frozenset(hosts),
        web_service="web",
        backends={"web": Backend("web", "10.0.0.2", 8080, "r1")},
    )


def test_a_domain_cannot_take_the_name_that_another_project_has() -> None:
    table = MeshTable("zexio.internal", "zexio.app")
    table.put(route("shop", "shop.zexio.app"))
    table.put(route("thief", "thief.zexio.app", "shop.zexio.app", "www.example.org"))
    shop, domain = table.find("shop.zexio.app"), table.find("www.example.org")

    assert shop is not None
    assert shop.route.project_id == "shop"
    assert domain is not None
    assert domain.route.project_id == "thief"
    table.drop("thief")
    assert table.find("www.example.org") is None
