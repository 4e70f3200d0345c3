"""No Dockerfile reaches an image by its id, whose image ever it is."""

import pytest

from shared.image_names import is_name, is_permitted, may_be_an_id
from worker.sources.base_images import References, doubtful_triggers, references_in


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM 3f\n",
        "from   3F",
        "FROM sha256:3fab",
        'FROM "3f"',
        "FROM 3\\f",
        "FROM \\\n# a comment\n\n3f",
        "FROM 3\\\nf",
        "# escape=`\nFROM `\n3f",
        "# syntax=docker/dockerfile:1\n# escape=`\nFROM `\n3f",
        "FROM --platform=linux/amd64 3f AS built",
        "ARG A=3f\nFROM $A",
        "ARG A='3f'\nARG B=${A}\nFROM ${B}",
        "ARG A=3 B=f\nFROM $A$B",
        "FROM ${A:-3f}",
        "FROM ${A:-sha256}:3f",
        "FROM sha256:${A:-3f}",
        "FROM $A",
        "FROM scratch\nCOPY --from=3f / /",
        "FROM scratch\nCOPY --chown=1:1 --from=3f / /",
        'FROM scratch\nCOPY --from="3f" / /',
        "FROM scratch\nONBUILD COPY --from=3f / /",
        "FROM scratch\nCOPY --from=12345678901234567890 / /",
        "FROM scratch\nCOPY --from=cafe / /\nFROM scratch AS cafe",
        "FROM 0",
        "FROM\v3f",
        "FROM \u20283f",
        "FROM scratch\\\\\nFROM 3f",
        "FROM \\\f\n3f",
        "FROM \\\r\n3f\r\n",
        "FROM localhost/plane-0a1b2c3d/app:dpl_1",
        "FROM scratch\nCOPY --from=localhost/plane-0a1b2c3d/app:dpl_1 / /",
        "FROM localhost/${A:-plane-0a1b2c3d}/app:dpl_1",
        "ARG A=x\nFROM ${A:+3f}",
        "ARG A=3f\nFROM ${B:-${A}}",
        "FROM python:$V",
        "FROM ${A:?no value}",
    ],
)
def test_what_may_be_an_id_is_found(dockerfile: str) -> None:
    assert references_in(dockerfile).doubtful != ()


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM scratch\nCOPY a /a",
        "FROM python:3.11-slim\nRUN echo FROM 3f",
        "FROM cafe:1",
        "FROM cafe:1 AS cafe\nFROM cafe\nCOPY --from=CAFE /a /a\nCOPY --from=0 /b /b",
        "ARG V=3.11\nFROM python:$V AS base\nFROM base",
        "FROM python:${V:-3}",
        "FROM ${REGISTRY:-docker.io}/library/python",
        "FROM localhost/hello@sha256:" + "0" * 64,
        "# FROM 3f\nFROM scratch",
        "FROM scratch\nRUN true \\\n  3f",
        "",
    ],
)
def test_names_are_names(dockerfile: str) -> None:
    assert references_in(dockerfile).doubtful == ()


def test_a_tag_tells_a_name_from_an_id() -> None:
    assert [text for text in ("ab", "AB12", "sha256:ab", "0" * 64) if not may_be_an_id(text)] == []
    assert [text for text in ("ab:1", "nginx", "x/ab", "ab.c", "0" * 65) if may_be_an_id(text)] == []


def test_the_images_that_stages_begin_with_are_known_with_their_variables_put_in() -> None:
    dockerfile = """
ARG REGISTRY=registry.example.org
ARG TAG
FROM --platform=linux/amd64 ${REGISTRY}/base:${TAG:-1.0} AS build
FROM "python:3.11" as Runtime
COPY --from=build /a /a
COPY --from=nginx:1 /b /b
FROM runtime
FROM build
FROM scratch
FROM python:3.11
"""

    assert references_in(dockerfile) == References(("registry.example.org/base:1.0", "python:3.11"), ())


def test_a_trigger_is_read_as_the_file_that_it_is() -> None:
    assert doubtful_triggers(["COPY --from=3f / /", "# escape=`\nCOPY `\n --from=4f / /"]) == ("3f", "4f")
    assert doubtful_triggers(["RUN make", "COPY . /app", "COPY --from=0 / /"]) == ()


@pytest.mark.parametrize(
    "reference",
    [
        "nginx",
        "nginx:1.27-alpine",
        "library/nginx",
        "a/b/c/d:latest",
        "my__repo/with.dots-and--dashes_1",
        "registry.example.org:5000/team/app:1.0",
        "localhost/hello:1",
        "127.0.0.1:5000/x",
        "[::1]:5000/x",
        "x@sha256:" + "0" * 64,
        "x:1@sha256:" + "0" * 64,
    ],
)
def test_names_of_images_are_taken(reference: str) -> None:
    assert is_permitted(reference)


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "x//y",
        "/x",
        "x/",
        "a/../../containers/json",
        "a/./b",
        "x:",
        "x:-1",
        "x:" + "t" * 129,
        "x" * 256,
        "Upper",
        "x/Upper",
        "a..b",
        "-a",
        "a_",
        "x@sha256:0",
        "x@md5:" + "0" * 32,
        "x?y",
        "x y",
        "x\n",
        "x%2f..",
        "host:port/x",
    ],
)
def test_what_is_no_name_is_refused(reference: str) -> None:
    assert not is_name(reference)
