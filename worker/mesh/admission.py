"""Who may reach what through the mesh: the contract's table as one pure function."""

from worker.mesh.claims import Claims
from worker.mesh.errors import WrongOrganisation
from worker.mesh.table import Found, Visibility


def needs_token(found: Found) -> bool:
    """An internal name always does; a public name and a custom domain do unless the project is public."""
    return found.internal or found.route.visibility is not Visibility.PUBLIC


def check_organisation(found: Found, claims: Claims) -> None:
    """Raises WrongOrganisation."""
    route = found.route
    if claims.org_id != route.org_id and claims.org_id not in route.allowed_orgs:
        raise WrongOrganisation
