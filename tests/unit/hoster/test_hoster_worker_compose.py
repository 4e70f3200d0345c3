"""What Hoster permits in a template is what a worker runs: everything that the policy accepts is rendered and read by the worker."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hoster.bodies import BodyInvalid
from hoster.deployments.resources import Resources
from hoster.deployments.source_body import SourceBody
from hoster.deployments.sources import GitSource, ImageSource, is_ssh
from hoster.templates.catalog import read_catalog
from hoster.templates.compose import parse_compose
from hoster.templates.document import read_stack
from hoster.templates.model import TemplateDocument, VariableType
from hoster.templates.rendering import Rendering, render_git, render_image, render_stack
from hoster.templates.stack import APP_HOST, APP_URL
from hoster.templates.variables import plain, resolve
from worker.deploys.bodies import DeployBody
from worker.deploys.compose import read_compose
from worker.deploys.request import DeployRequest, Restart
from worker.runtime.engine import Limits

CATALOG = read_catalog()
ROOM = Resources.of(64, 1_048_576, 1)
OF_PROJECT = Limits(cpu=1, memory_mb=256, disk_mb=512, pids=256)


def as_the_worker_reads(rendering: Rendering) -> DeployRequest:
    """Raises ComposeUnsupported."""
    body = rendering.deploy_body()
    return read_compose(body["compose"], str(body["web"]), OF_PROJECT)


def rendered(tree: dict[str, Any]) -> Rendering:
    return render_stack(parse_compose(tree), {}, ROOM, {})


def values_of(document: TemplateDocument) -> dict[str, str]:
    required = [one for one in document.variables if one.required and one.type is not VariableType.PASSWORD]
    given = {one.name: "https://a.example.com" for one in required if one.default is None}
    return {
        **resolve(document.variables, given, lambda _: "a-generated-password").texts(),
        APP_URL: "http://a.apps.localhost:8090/",
        APP_HOST: "a.apps.localhost",
    }


@pytest.mark.parametrize("slug", sorted(CATALOG))
def test_a_worker_reads_every_shipped_template_as_it_was_meant(slug: str) -> None:
    document = CATALOG[slug]
    stack = read_stack(document.compose)

    request = as_the_worker_reads(render_stack(stack, values_of(document), document.resources, {}))

    assert {service.name for service in request.services} == set(stack.services)
    assert request.web_service.port == stack.web.ports[0]
    assert request.web_service.healthcheck.path == stack.web.healthcheck.get("x-path")
    assert not re.search(r"\$\{[A-Z_]+\}", request.to_json()), "a variable was not put in"
    memory = sum(service.limits.memory_mb for service in request.services if service.limits)
    assert 0 < memory <= document.resources.memory_mb


WEB = {"image": "a/b:1", "expose": ["80"]}
DATABASE = {"image": "c/d:1", "healthcheck": {"test": "ready"}}


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "registry.example.com:5000/team/app@sha256:" + "0" * 64},
        {"command": "serve --name 'two words'"},
        {"command": ["serve", ""]},
        {"entrypoint": ["/bin/sh", "-c"]},
        {"command": "", "entrypoint": [], "environment": None, "volumes": []},
        {"environment": {"A": 1, "B": True, "C": "", "D": "a$b", "E" * 256: "x"}},
        {"environment": ["A=1=2", "B="]},
        {"expose": ["1", 65535, "80/tcp"]},
        {"expose": None, "ports": [8080]} | {"image": "a:1"},
        {"volumes": ["data:/var/lib/app", "more.v1_x-y:/process/@x+y/:ro", "dev:/developer:rw"]},
        {"volumes": ["a" + "b" * 62 + ":/x"]},
        {"healthcheck": {"x-path": "/healthz?deep=1&x=%20;(a)"}},
        {"healthcheck": {"test": ["CMD", "curl", "-f", "http://localhost/"], "retries": 100}},
        {"healthcheck": {"test": ["CMD-SHELL", "exit 0"], "interval": "100ms", "timeout": "1m"}},
        {"healthcheck": {"test": "exit 0", "start_period": "0s", "x-deadline": "15m"}},
        {"healthcheck": {"test": "exit 0", "start_period": "15m", "x-deadline": "100ms", "interval": "1m0s"}},
        {"healthcheck": {"disable": True, "test": "exit 0"}},
        {"healthcheck": {"disable": False, "test": "exit 0"}},
        {"healthcheck": {"test": ["NONE"]}},
        {"restart": "always"},
        {"restart": "unless-stopped"},
        {"restart": "on-failure"},
        {"deploy": {"resources": {"limits": {"cpus": "0.01", "memory": "6M", "pids": 2}}}},
        {"deploy": {"resources": {"limits": {"cpus": 64, "memory": "1024G", "pids": 32768}}}},
        {"deploy": {"resources": {"limits": {"cpus": 1.2345, "memory": 8_000_001}}}},
        {"deploy": {"resources": {}}},
        {"x-web": True},
    ],
)
def test_a_worker_takes_every_form_that_the_policy_permits(fields: dict[str, Any]) -> None:
    service = {name: value for name, value in {**WEB, **fields}.items() if value is not None}
    as_the_worker_reads(rendered({"services": {"web": service}}))


@pytest.mark.parametrize(
    ("services", "once"),
    [
        ({"web": {**WEB, "x-web": True, "depends_on": ["db"]}, "db": DATABASE}, set()),
        ({"web": {**WEB, "x-web": True, "depends_on": {"db": {"condition": "service_healthy"}}}, "db": DATABASE}, set()),
        (
            {"web": {**WEB, "x-web": True, "depends_on": {"once": {"condition": "service_completed_successfully"}}}, "once": {"image": "a:1"}},
            {"once"},
        ),
        ({"web": {**WEB, "x-web": True}, "once": {"image": "a:1", "restart": "no"}}, {"once"}),
        ({"web": {**WEB, "x-web": True}, "once": {"image": "a:1", "restart": False}}, {"once"}),
        ({"web": {**WEB, "x-web": True}, **{f"s{n}-{'x' * 28}": {"image": "a:1"} for n in range(9)}}, set()),
        ({"web": {**WEB, "x-web": True}, **{f"s{n}": {"image": "a:1"} for n in range(15)}}, set()),
    ],
)  # fmt: skip
def test_a_worker_takes_services_that_wait_for_each_other(services: dict[str, Any], once: set[str]) -> None:
    request = as_the_worker_reads(rendered({"services": services}))
    assert request.web == "web"
    assert {service.name for service in request.services if service.restart is Restart.NEVER} == once


def test_a_worker_takes_a_bare_image() -> None:
    rendering = render_image("nginx:1.27", 80, {"A": "a$b"}, Resources.of(0.5, 256, 512), {})
    [service] = as_the_worker_reads(rendering).services
    assert (service.image, service.port, dict(service.environment)) == ("nginx:1.27", 80, {"A": "a$b"})


_images = st.one_of(
    st.from_regex(r"[a-zA-Z0-9._/:@-]{1,20}", fullmatch=True),
    st.lists(
        st.sampled_from(
            ["a", "x", "/", ":", "@", ".", "-", "_", "1", "localhost", "plane-", "sha256:", "f" * 64]
        ),
        max_size=9,
    ).map("".join),
)
_paths = st.lists(
    st.sampled_from(["a", ".", "..", "/", "Dockerfile", "-", " ", "\\"]), min_size=1, max_size=7
).map("".join)
_refs = st.lists(
    st.sampled_from(["a", ".", "..", "/", "@", "{", ".lock", "-", "+"]), min_size=1, max_size=7
).map("".join)
_hosts = st.lists(
    st.sampled_from(["a", "-", ".", "1", "[", "::1", "]", ":22", ":99999", "@"]), min_size=1, max_size=6
).map("".join)
_urls = st.builds(
    "{}{}{}".format,
    st.sampled_from(["https://", "ssh://git@", "git@", ""]),
    _hosts,
    st.sampled_from(["/a", ":a", "", "/"]),
)
_git_urls = st.one_of(
    _urls,
    st.sampled_from(["https://git.example.com:8443/a", "git@example.com:a/b", "ssh://git@example.com:22/a"]),
)


@given(image=_images)
def test_an_image_that_may_be_ordered_is_one_that_a_worker_runs(image: str) -> None:
    try:
        source = SourceBody.model_validate({"image": image, "port": 80}).source()
    except ValidationError:
        with pytest.raises(BodyInvalid):
            parse_compose({"services": {"web": {**WEB, "image": image}}})
        return
    assert isinstance(source, ImageSource)
    as_the_worker_reads(render_image(source.image, source.port, {}, ROOM, {}))
    as_the_worker_reads(rendered({"services": {"web": {**WEB, "image": image}}}))


@given(url=_git_urls, ref=_refs, dockerfile=_paths)
def test_a_repository_that_may_be_ordered_is_one_that_a_worker_takes(
    url: str, ref: str, dockerfile: str
) -> None:
    for git, path in (
        ({"url": url, "ref": "main"}, "Dockerfile"),
        ({"url": "https://a.b/c", "ref": ref}, dockerfile),
    ):
        key = {"ssh_key_id": "sshkey_1"} if is_ssh(git["url"]) else {}
        try:
            source = SourceBody.model_validate(
                {"git": {**git, **key}, "port": 80, "dockerfile": path}
            ).source()
        except ValidationError:
            continue
        assert isinstance(source, GitSource)
        DeployBody.model_validate(render_git(source, None, {}).deploy_body()).request(
            OF_PROJECT, allow_local=True
        )


@given(
    values=st.dictionaries(
        st.sampled_from(["A", "B" * 256, "C"]), st.text(max_size=4).map(lambda text: text * 16_000)
    )
)
def test_variables_that_may_be_ordered_fit_into_an_environment(values: dict[str, str]) -> None:
    try:
        texts = plain(values).texts()
    except BodyInvalid:
        return
    as_the_worker_reads(render_image("nginx:1.27", 80, texts, ROOM, {}))
