"""From the name a customer gave to the project, host names and URL of a deployment."""

import re
import unicodedata

INTERNAL_SUFFIX = "zexio.internal"
SLUG_MOST = 40


def slug(name: str) -> str:
    """Lower-case letters without their accents, digits and single hyphens, at most 40; `app` when nothing is left."""
    letters = unicodedata.normalize("NFKD", name.lower())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    kept = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return kept[:SLUG_MOST].rstrip("-") or "app"


def project_id(name: str, suffix: str) -> str:
    """`suffix` is 8 random characters of [a-z0-9]: two deployments of one name never share a host."""
    return f"{slug(name)}-{suffix}"


def hosts(project: str, app_domain: str) -> list[str]:
    """The public host name first, then the one inside the mesh."""
    return [f"{project}.{app_domain}", f"{project}.{INTERNAL_SUFFIX}"]


def url(project: str, app_domain: str, port: int) -> str:
    return f"http://{project}.{app_domain}{visitors_port(port)}/"


def visitors_port(port: int) -> str:
    """As a URL names it: nothing for the usual one, which 0 stands for too."""
    return f":{port}" if port not in {0, 80} else ""
