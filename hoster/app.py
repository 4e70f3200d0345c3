"""Wiring: what Hoster is made of, put together in one place."""

import asyncio
import json

from aiohttp import web

from hoster import status_api
from hoster.access import AccessTable, Route
from hoster.background import serving
from hoster.billing import api as billing_api
from hoster.billing.store import BILLING_STORE, BillingStore
from hoster.deployments import api as deployments_api
from hoster.deployments.changes import DEPLOYMENT_CHANGES, DeploymentChanges
from hoster.deployments.model import AppUrls
from hoster.deployments.store import DEPLOYMENT_STORE, DeploymentStore
from hoster.domains import api as domains_api
from hoster.domains.store import DOMAIN_STORE, DomainStore
from hoster.idempotency.middleware import idempotency_middleware
from hoster.idempotency.store import IdempotencyStore
from hoster.identity_middleware import identity_middleware
from hoster.jobs.runner import Bell
from hoster.leaving import LEAVING
from hoster.monitoring import api as monitoring_api
from hoster.nodes import api as nodes_api
from hoster.nodes import enrolment_api
from hoster.nodes.bootstrap.commands import BOOTSTRAP_COMMANDS, BootstrapCommands
from hoster.nodes.bootstrap.store import BOOTSTRAP_STORE, BootstrapStore
from hoster.nodes.commands import NodeCommands
from hoster.nodes.store import NodeStore
from hoster.openapi import api as openapi_api
from hoster.openapi.document import build_document
from hoster.openapi.operations import OPERATIONS
from hoster.parts import Parts
from hoster.problems import PROBLEMS
from hoster.receiving import whole_bodies
from hoster.releases import api as releases_api
from hoster.releases.store import RELEASE_STORE, ReleaseStore
from hoster.ssh_keys import api as ssh_keys_api
from hoster.ssh_keys.commands import SSH_KEY_COMMANDS, SshKeyCommands
from hoster.ssh_keys.store import SSH_KEY_STORE, SshKeyStore
from hoster.templates import api as templates_api
from hoster.templates.commands import TemplateCommands
from hoster.templates.store import TemplateStore
from hoster.users import api as users_api
from hoster.users.store import UserStore
from hoster.web import pages
from hoster.web.pages import PAGES
from shared.ids import new_id, request_ids
from shared.problem_middleware import hide_server_software, problem_middleware

BODY_MOST_BYTES = 1024 * 1024

ROUTES: tuple[Route, ...] = (
    *status_api.ROUTES,
    *users_api.ROUTES,
    *templates_api.ROUTES,
    *deployments_api.ROUTES,
    *releases_api.ROUTES,
    *monitoring_api.ROUTES,
    *nodes_api.ROUTES,
    *enrolment_api.ROUTES,
    *ssh_keys_api.ROUTES,
    *domains_api.ROUTES,
    *billing_api.ROUTES,
    *openapi_api.ROUTES,
    *pages.ROUTES,
)


def build_app(parts: Parts) -> web.Application:
    new_request_id = request_ids(parts.clock)
    access = AccessTable()
    users = UserStore(parts.database, parts.clock)
    billing = BillingStore(parts.database, parts.clock)
    answers = IdempotencyStore(parts.database, parts.vault, parts.clock, owner=new_id("answers_"))
    problems = problem_middleware(PROBLEMS, new_request_id)

    app = web.Application(
        client_max_size=BODY_MOST_BYTES,
        middlewares=[
            problems,
            identity_middleware(
                access, parts.config.identity_secret, parts.clock, users.introduce, new_request_id
            ),
            whole_bodies,
            idempotency_middleware(answers, billing),
            problems,  # once more: the answer to a mistake is an answer, and is kept like any other
        ],
    )
    app.on_response_prepare.append(hide_server_software)
    access.register(app.router, ROUTES)
    app[status_api.DATABASE] = parts.database
    app[status_api.STARTED_AT] = parts.clock.monotonic()
    app[nodes_api.CLOCK] = parts.clock
    app[nodes_api.PUBLIC_URL] = parts.config.public_url
    app[deployments_api.APP_URLS] = AppUrls(parts.config.app_domain, parts.config.app_url_port)
    app[LEAVING] = asyncio.Event()
    app[PAGES] = parts.pages
    document = build_document(ROUTES, OPERATIONS, parts.config.public_url)
    app[openapi_api.OPENAPI] = json.dumps(document, separators=(",", ":")).encode()
    app[BILLING_STORE] = billing
    app[DEPLOYMENT_STORE] = DeploymentStore(parts.database, parts.vault)
    app[RELEASE_STORE] = ReleaseStore(parts.database, parts.vault)
    app[DOMAIN_STORE] = DomainStore(parts.database)
    app[nodes_api.NODE_STORE] = NodeStore(parts.database, parts.vault)
    app[nodes_api.NODE_COMMANDS] = NodeCommands(
        parts.database, app[nodes_api.NODE_STORE], parts.vault, parts.clock
    )
    app[SSH_KEY_STORE] = SshKeyStore(parts.database, parts.vault)
    app[SSH_KEY_COMMANDS] = SshKeyCommands(parts.database, parts.vault, parts.clock)
    app[templates_api.TEMPLATE_STORE] = TemplateStore(parts.database, parts.clock)
    app[templates_api.TEMPLATE_COMMANDS] = TemplateCommands(
        parts.database, app[templates_api.TEMPLATE_STORE], parts.clock
    )
    app[DEPLOYMENT_CHANGES] = DeploymentChanges(
        parts.database, app[templates_api.TEMPLATE_STORE], parts.vault, parts.clock
    )
    bootstrap_bell = Bell()
    app[BOOTSTRAP_STORE] = BootstrapStore(parts.database, parts.vault, parts.clock)
    app[BOOTSTRAP_COMMANDS] = BootstrapCommands(
        parts.database,
        app[BOOTSTRAP_STORE],
        bootstrap_bell.ring,
        parts.config.worker_source,
    )
    app.cleanup_ctx.append(serving(parts, bootstrap_bell))
    app.on_shutdown.append(_leave)
    return app


async def _leave(app: web.Application) -> None:
    app[LEAVING].set()
