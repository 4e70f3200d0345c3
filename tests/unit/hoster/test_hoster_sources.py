"""Which repositories a deployment may be built from."""

import pytest

from hoster.deployments.source_columns import source_columns, source_of
from hoster.deployments.sources import (
    GitSource,
    ImageSource,
    Source,
    SourceInvalid,
    TemplateSource,
    checked_dockerfile,
    checked_ref,
    checked_url,
)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/team/app.git",
        "https://git.example.com:8443/a/b",
        "ssh://git@example.com/team/app.git",
        "ssh://example.com:2222/app",
        "git@example.com:team/app.git",
        "https://[2001:db8::1]/a",
    ],
)
def test_https_ssh_and_scp_forms_are_taken(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a",
        "git://example.com/a",
        "file:///etc",
        "/srv/repo",
        "../repo",
        "ext::sh -c id",
        "https://user:secret@example.com/a",
        "https://user@example.com/a",
        "ssh://-oProxyCommand=id/x",
        "ssh://git@-oProxyCommand=id/x",
        "git@-oProxyCommand:x",
        "-u@host:x",
        "git@example.com:-x",
        "https://example.com/a b",
        "https://example.com/a\n",
        "https://example.com/a?x=1",
        "https://example.com",
        "git@exa mple.com:x",
        "https://example.com/" + "a" * 1000,
    ],
)
def test_nothing_else_is_a_repository(url: str) -> None:
    with pytest.raises(SourceInvalid):
        checked_url(url)


@pytest.mark.parametrize("ref", ["main", "v1.2.3", "feature/a-b", "refs/heads/main", "0" * 40, "HEAD"])
def test_branches_tags_and_commits_are_refs(ref: str) -> None:
    assert checked_ref(ref) == ref


@pytest.mark.parametrize(
    "ref", ["", "-x", "--upload-pack=id", "a..b", "a b", "a\n", "x.lock", "a/", "a@{1}", "a:b", "~a"]
)
def test_nothing_else_is_a_ref(ref: str) -> None:
    with pytest.raises(SourceInvalid):
        checked_ref(ref)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../Dockerfile", "a/../../b", "-f", "", "a/", "a\x00b", ".."]
)
def test_a_dockerfile_is_inside_the_repository(path: str) -> None:
    assert checked_dockerfile("deploy/Dockerfile.prod") == "deploy/Dockerfile.prod"
    with pytest.raises(SourceInvalid):
        checked_dockerfile(path)


@pytest.mark.parametrize(
    "source",
    [
        TemplateSource("tmpl_1", 3),
        ImageSource("nginx:1.27", 80),
        GitSource(url="git@h:a", ref="main", ssh_key_id="sshkey_1", port=80, dockerfile="a/Dockerfile"),
        GitSource(url="https://h/a", ref="main", ssh_key_id=None, port=80, dockerfile=None),
    ],
)
def test_a_source_is_read_as_it_was_written(source: Source) -> None:
    assert source_of(source_columns(source)) == source  # type: ignore[arg-type]  # a mapping will do for a row
