"""What is said about each route. A route that is missing here, or one too many, fails a test."""

from hoster.bodies import EmptyBody
from hoster.deployments.api import COLLECTION as DEPLOYMENTS
from hoster.deployments.api import LISTED, WAIT_MOST_S, ChangeBody, CreateBody
from hoster.deployments.transitions import State
from hoster.domains.api import NewDomainBody
from hoster.jobs.model import Volumes
from hoster.nodes.bodies import HeartbeatBody, JoinBody, NewNodeBody, NodeChangeBody
from hoster.nodes.bootstrap.bodies import BootstrapBody
from hoster.openapi.operation import EVENT_STREAM, NO_BODY, Operation, Query
from hoster.openapi.schemas import INTEGER, TEXT, items_of, members, one_of, page_of, ref
from hoster.paging import LIMIT_MOST
from hoster.releases.api import RollbackBody
from hoster.ssh_keys.api import COLLECTION as SSH_KEYS
from hoster.ssh_keys.api import NewSshKeyBody
from hoster.templates.api import COLLECTION as TEMPLATES
from hoster.templates.document import TemplateBody

NODES = "/api/v1/nodes"
_DEPLOYMENT, _TEMPLATE, _NODE, _KEY = (f"{at}/{{id}}" for at in (DEPLOYMENTS, TEMPLATES, NODES, SSH_KEYS))
_MONITORING = _DEPLOYMENT + "/monitoring"
_DOMAIN = _DEPLOYMENT + "/domains/{hostname}"

_PAGE = (
    Query("limit", {**INTEGER, "minimum": 1, "maximum": LIMIT_MOST, "default": 50}),
    Query("cursor", TEXT, "`next_cursor` of the page before"),
)
_LAST_EVENT = Query("last_event_id", TEXT, "instead of the header Last-Event-ID")
_TAIL = Query("tail", {**INTEGER, "minimum": 0, "maximum": 10_000})
_LOG = (
    _TAIL,
    Query("since", TEXT, "a moment (RFC 3339)"),
    Query("container", TEXT),
)

DEPLOYMENT_OPERATIONS = {
    ("POST", DEPLOYMENTS): Operation(
        summary="Deploy a template, an image or a git repository",
        body=CreateBody,
        answers={202: ref("Deployment")},
        problems=(403, 409, 503),
        headers=("Location", "X-Event-Type"),
    ),
    ("GET", DEPLOYMENTS): Operation(
        summary="Your deployments, newest first",
        query=(
            *_PAGE,
            Query("q", TEXT, "a part of the name, whatever its case; `total` is then of what fits"),
            Query("status", one_of(LISTED)),
        ),
        answers={200: page_of("Deployment")},
    ),
    ("GET", _DEPLOYMENT): Operation(summary="A deployment", answers={200: ref("Deployment"), 304: NO_BODY}),
    ("PATCH", _DEPLOYMENT): Operation(
        summary="Change a deployment; all but its name waits for the next redeploy or start",
        body=ChangeBody,
        answers={200: ref("Deployment")},
        problems=(403, 412),
    ),
    ("DELETE", _DEPLOYMENT): Operation(
        summary="Delete a deployment, from any state",
        query=(Query("volumes", {**one_of(Volumes), "default": "keep"}),),
        answers={202: ref("Deployment")},
        problems=(409, 412),
        headers=("X-Event-Type",),
    ),
    **{
        ("POST", f"{_DEPLOYMENT}/{verb}"): Operation(
            summary=f"{verb.capitalize()} a deployment; 200 when that is so already",
            answers={200: ref("Deployment"), 202: ref("Deployment")},
            problems=problems,
            headers=("X-Event-Type",),
        )
        for verb, problems in (("start", (403, 409, 412, 503)), ("stop", (409, 412, 503)))
    },
    ("POST", f"{_DEPLOYMENT}/restart"): Operation(
        summary="Restart a running deployment", answers={202: ref("Deployment")}, problems=(409, 412, 503)
    ),
    ("POST", f"{_DEPLOYMENT}/redeploy"): Operation(
        summary="Deploy anew with all pending changes; what runs serves until the new release is up",
        body=EmptyBody,
        body_required=False,
        answers={202: ref("Deployment")},
        problems=(409, 412, 503),
    ),
    ("POST", f"{_DEPLOYMENT}/rollback"): Operation(
        summary="Bring back revision, variables and images of an earlier release; 200 when that one runs",
        body=RollbackBody,
        answers={200: ref("Deployment"), 202: ref("Deployment")},
        problems=(403, 409, 412, 503),
    ),
    ("GET", f"{_DEPLOYMENT}/releases"): Operation(
        summary="What was deployed, newest first", query=_PAGE, answers={200: page_of("Release")}
    ),
    ("GET", f"{_DEPLOYMENT}/deploys"): Operation(
        summary="The node's records of its deploys, newest first",
        answers={200: items_of(ref("Deploy"))},
        problems=(503,),
    ),
    ("GET", f"{_DEPLOYMENT}/deploys/{{deploy_id}}"): Operation(
        summary="Steps, health attempts and last log lines of a deploy",
        answers={200: ref("DeployRecord")},
        problems=(503,),
    ),
    ("GET", f"{_DEPLOYMENT}/wait"): Operation(
        summary="Wait until a deployment has a status",
        query=(
            Query("status", {**one_of(State), "default": "running"}),
            Query("timeout", {**INTEGER, "minimum": 0, "maximum": WAIT_MOST_S, "default": 60}, "seconds"),
        ),
        answers={200: ref("Deployment")},
        problems=(408, 409),
    ),
    ("GET", f"{_DEPLOYMENT}/domains"): Operation(
        summary="Domains of a deployment", query=_PAGE, answers={200: page_of("Domain")}
    ),
    ("POST", f"{_DEPLOYMENT}/domains"): Operation(
        summary="Claim a host name; publish one of its records, then verify",
        body=NewDomainBody,
        answers={200: ref("Domain"), 201: ref("Domain")},
        problems=(409,),
    ),
    ("DELETE", _DOMAIN): Operation(summary="Give up a host name", answers={204: NO_BODY}),
    ("POST", f"{_DOMAIN}/verify"): Operation(
        summary="Look for the records in the DNS", answers={200: ref("Domain")}, problems=(409, 503)
    ),
}

MONITORING_OPERATIONS = {
    ("GET", f"{_MONITORING}/health"): Operation(
        summary="Health of the containers", answers={200: ref("MonitoredHealth")}, problems=(503,)
    ),
    ("GET", f"{_MONITORING}/stats"): Operation(
        summary="Numbers of the containers", answers={200: ref("MonitoredStats")}, problems=(503,)
    ),
    ("GET", f"{_MONITORING}/logs"): Operation(
        summary="The newest log lines", query=_LOG, answers={200: items_of(ref("LogLine"))}, problems=(503,)
    ),
    ("GET", f"{_MONITORING}/events"): Operation(
        summary="What happened, newest first",
        query=(
            Query("limit", {**INTEGER, "minimum": 1, "maximum": 1000, "default": 50}),
            Query("type", TEXT),
        ),
        answers={200: items_of(ref("Event"))},
        problems=(503,),
    ),
    **{
        ("GET", f"{_MONITORING}/{what}/stream"): Operation(
            summary=f"The {what} as they come (Server-Sent Events)",
            query=(*(_LOG if what == "logs" else ()), _LAST_EVENT),
            answers={200: EVENT_STREAM},
            problems=(409, 422, 503),
        )
        for what in ("stats", "logs", "events")
    },
    ("GET", f"{_MONITORING}/stream"): Operation(
        summary="Log, numbers and events over one connection (Server-Sent Events)",
        query=(_TAIL, _LAST_EVENT),
        answers={200: EVENT_STREAM},
        problems=(409, 422, 503),
    ),
}

TEMPLATE_OPERATIONS = {
    ("GET", TEMPLATES): Operation(
        summary="Published templates and your drafts",
        query=(*_PAGE, Query("q", TEXT), Query("category", TEXT)),
        answers={200: page_of("Template")},
    ),
    ("POST", TEMPLATES): Operation(
        summary="Write a template",
        body=TemplateBody,
        answers={201: ref("Template")},
        problems=(409,),
        headers=("Location",),
    ),
    ("GET", _TEMPLATE): Operation(summary="A template", answers={200: ref("Template"), 304: NO_BODY}),
    ("PATCH", _TEMPLATE): Operation(
        summary="Write a new revision",
        body=TemplateBody,
        partial=True,
        answers={200: ref("Template")},
        problems=(412,),
    ),
    ("DELETE", _TEMPLATE): Operation(summary="Withdraw a template", answers={204: NO_BODY}, problems=(412,)),
    **{
        ("POST", f"{_TEMPLATE}/{verb}"): Operation(
            summary=f"{verb.capitalize()} a template", answers={200: ref("Template")}, problems=(412,)
        )
        for verb in ("publish", "unpublish")
    },
}

NODE_OPERATIONS = {
    ("GET", NODES): Operation(
        summary="Your nodes and public ones", query=_PAGE, answers={200: page_of("Node")}
    ),
    ("POST", NODES): Operation(
        summary="Register a node; with `ssh`, its worker is installed from here",
        body=NewNodeBody,
        answers={201: ref("NewNode")},
        problems=(403, 409),
        headers=("Location",),
    ),
    ("GET", _NODE): Operation(summary="A node", answers={200: ref("Node")}),
    ("PATCH", _NODE): Operation(summary="Change a node", body=NodeChangeBody, answers={200: ref("Node")}),
    ("DELETE", _NODE): Operation(
        summary="Remove a node without deployments, or one whose machine is gone for good",
        query=(
            Query(
                "lost",
                {**one_of(("true", "false")), "default": "false"},
                "only of a node that is offline: what was being deleted on it is deleted, the rest has failed",
            ),
        ),
        answers={204: NO_BODY},
        problems=(409,),
    ),
    ("POST", f"{_NODE}/bootstrap"): Operation(
        summary="Install a worker again", body=BootstrapBody, answers={202: ref("Node")}, problems=(409,)
    ),
    ("POST", f"{_NODE}/maintenance"): Operation(
        summary="Place no new deployments on a node", answers={200: ref("Node")}
    ),
    ("DELETE", f"{_NODE}/maintenance"): Operation(
        summary="End maintenance", answers={200: ref("Node")}, problems=(422,)
    ),
    ("POST", "/nodes/v1/join"): Operation(
        summary="Become a node (workers)",
        body=JoinBody,
        answers={201: members(node_id=TEXT, secret=TEXT)},
        problems=(401,),
    ),
    ("POST", "/nodes/v1/heartbeat"): Operation(
        summary="Say that a node lives (workers)",
        body=HeartbeatBody,
        answers={200: members()},
        problems=(401,),
    ),
}

OTHER_OPERATIONS = {
    ("GET", "/health"): Operation(
        summary="Whether Hoster works", answers={200: ref("Health"), 503: {"type": "object"}}
    ),
    ("GET", "/stats"): Operation(summary="Counts", answers={200: ref("Stats")}),
    ("GET", "/api/v1/openapi.json"): Operation(summary="This document", answers={200: {"type": "object"}}),
    ("GET", "/api/v1/me"): Operation(summary="You, your limits and what you use", answers={200: ref("Me")}),
    ("GET", "/api/v1/billing/events"): Operation(
        summary="Your billing events", query=_PAGE, answers={200: page_of("BillingEvent")}
    ),
    ("GET", SSH_KEYS): Operation(summary="Your SSH keys", query=_PAGE, answers={200: page_of("SshKey")}),
    ("POST", SSH_KEYS): Operation(
        summary="Keep an SSH key; without one, a pair is made",
        body=NewSshKeyBody,
        answers={201: ref("SshKey")},
        headers=("Location",),
    ),
    ("GET", _KEY): Operation(summary="An SSH key", answers={200: ref("SshKey")}),
    ("DELETE", _KEY): Operation(summary="Remove an SSH key", answers={204: NO_BODY}, problems=(409,)),
}

OPERATIONS = {
    **DEPLOYMENT_OPERATIONS,
    **MONITORING_OPERATIONS,
    **TEMPLATE_OPERATIONS,
    **NODE_OPERATIONS,
    **OTHER_OPERATIONS,
}
