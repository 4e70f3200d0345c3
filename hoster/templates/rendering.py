"""What a worker is asked to run: a template's service with its variables put in, or an image as given."""

from collections.abc import Mapping
from dataclasses import dataclass

from hoster.templates.compose import REFERENCE, Service


@dataclass(frozen=True, slots=True)
class Rendering:
    """`environment` is set on the project before the deploy; `deploy` is the body of the deploy."""

    environment: Mapping[str, str]
    deploy: Mapping[str, object]


def render_service(service: Service, values: Mapping[str, str]) -> Rendering:
    """One pass: a value that looks like a reference is not replaced again."""

    def put_in(text: str) -> str:
        return REFERENCE.sub(lambda found: values[found[1]], text)

    body: dict[str, object] = {"image": service.image, "port": service.port}
    if service.command:
        body["command"] = [put_in(part) for part in service.command]
    check = service.healthcheck
    if check is not None:
        body["healthcheck"] = {
            "path": check.path,
            "interval_s": check.interval_s,
            "timeout_s": check.timeout_s,
            "deadline_s": check.deadline_s,
        }
    return Rendering({name: put_in(text) for name, text in service.environment.items()}, body)


def render_image(image: str, port: int, values: Mapping[str, str]) -> Rendering:
    return Rendering(dict(values), {"image": image, "port": port})
