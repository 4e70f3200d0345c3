"""The shapes of answers, by name. Every member is always there, and there are no others: a test sends answers through these."""

from collections.abc import Iterable
from enum import StrEnum

from hoster.deployments.model import Visibility
from hoster.deployments.transitions import State
from hoster.domains.store import DomainStatus
from hoster.monitoring.health import Health
from hoster.nodes.bootstrap.model import BootstrapStatus
from hoster.nodes.model import NodeStatus
from hoster.openapi.operation import Schema
from hoster.releases.model import ReleaseStatus
from hoster.templates.model import VariableType

TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
SCALAR: Schema = {"type": ["string", "number", "boolean"]}
VARIABLES: Schema = {"type": "object", "additionalProperties": SCALAR}


def members(**schemas: Schema) -> Schema:
    return {
        "type": "object",
        "properties": schemas,
        "required": sorted(schemas),
        "additionalProperties": False,
    }


def listed(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(values: type[StrEnum] | Iterable[str]) -> Schema:
    return {"type": "string", "enum": [str(value) for value in values]}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def page_of(name: str) -> Schema:
    return members(items=listed(ref(name)), next_cursor=or_null(TEXT), total=INTEGER)


def items_of(schema: Schema) -> Schema:
    return members(items=listed(schema))


def _identifier(prefix: str) -> Schema:
    return {"type": "string", "pattern": f"^{prefix}[0-9a-f]{{32}}$"}


RESOURCES = members(cpu_cores=NUMBER, memory_mb=INTEGER, disk_mb=INTEGER)
_RECORDS = listed(members(type=TEXT, name=TEXT, value=TEXT))

_GIT_SOURCE = members(
    git=members(url=TEXT, ref=TEXT, ssh_key_id=or_null(TEXT)), port=INTEGER, dockerfile=or_null(TEXT)
)
SOURCE: Schema = {"anyOf": [members(image=TEXT, port=INTEGER), _GIT_SOURCE, {"type": "null"}]}

_VARIABLE = members(
    name=TEXT, label=TEXT, type=one_of(VariableType), default=or_null(SCALAR), required=FLAG, options=listed(TEXT),
    pattern=or_null(TEXT),
)  # fmt: skip

_BOOTSTRAP = members(
    status=one_of(BootstrapStatus), host=TEXT, port=INTEGER, user=TEXT, host_key=or_null(TEXT),
    host_key_fingerprint=or_null(TEXT), host_key_pinned=FLAG, reason=or_null(TEXT),
    log=listed(members(at=MOMENT, message=TEXT)), created_at=MOMENT, finished_at=or_null(MOMENT),
)  # fmt: skip

_NODE: dict[str, Schema] = {
    "id": _identifier("node_"), "name": TEXT, "status": one_of(NodeStatus), "public": FLAG, "address": or_null(TEXT),
    "capabilities": listed(TEXT),
    "capacity": members(cpu_cores=NUMBER, memory_mb=INTEGER, disk_mb=INTEGER, used=RESOURCES), "location": TEXT,
    "version": TEXT, "last_seen_at": or_null(MOMENT), "bootstrap": or_null(_BOOTSTRAP),
}  # fmt: skip

_DEPLOY: dict[str, Schema] = {
    "deploy_id": TEXT, "status": TEXT, "reason": or_null(TEXT), "created_at": or_null(TEXT), "finished_at": or_null(TEXT),
}  # fmt: skip
_FROM_NODE: Schema = {"type": ["array", "null"]}

_COUNT: Schema = {"type": "object", "additionalProperties": INTEGER}

SCHEMAS: dict[str, Schema] = {
    "Problem": {
        "type": "object",
        "description": "An error (RFC 9457). `code` is stable; further members depend on it.",
        "properties": {
            "type": TEXT, "title": TEXT, "status": INTEGER, "detail": TEXT, "code": TEXT, "request_id": TEXT,
            "errors": listed(members(field=TEXT, message=TEXT)),
        },
        "required": ["type", "title", "status", "detail", "code", "request_id"],
    },
    "Health": members(status=TEXT, database=TEXT, nodes=_COUNT),
    "Stats": members(
        uptime_s=NUMBER, nodes=_COUNT, deployments=_COUNT, jobs=_COUNT, templates=_COUNT, users=_COUNT, billing_events=_COUNT
    ),
    "Me": members(
        user_id=TEXT, org_id=TEXT, plan_id=TEXT,
        limits=members(
            max_deployments=INTEGER, max_cpu_cores=NUMBER, max_memory_mb=INTEGER, max_disk_mb=INTEGER,
            allowed_capabilities=listed(TEXT),
        ),
        usage=members(deployments=INTEGER, cpu_cores=NUMBER, memory_mb=INTEGER, disk_mb=INTEGER),
    ),
    "BillingEvent": members(
        id=_identifier("evt_"), event_type=TEXT, resource_id=TEXT, resource_type=TEXT, request_id=TEXT, created_at=MOMENT
    ),
    "Template": members(
        id=_identifier("tmpl_"), name=TEXT, slug=TEXT, description=TEXT, category=TEXT, tags=listed(TEXT), version=TEXT,
        revision=INTEGER, compose=TEXT, variables=listed(_VARIABLE), resources=RESOURCES,
        required_capabilities=listed(TEXT), price_monthly_cents=INTEGER, published=FLAG, author_id=or_null(TEXT),
    ),
    "Deployment": members(
        id=_identifier("dep_"), name=TEXT, template_id=or_null(TEXT), template_revision=or_null(INTEGER), source=SOURCE,
        visibility=one_of(Visibility), status=one_of(State), status_reason=or_null(TEXT), node_id=or_null(TEXT), url=TEXT,
        hosts=listed(TEXT), variables=VARIABLES, resources=RESOURCES, release_id=or_null(TEXT), created_at=MOMENT,
        updated_at=MOMENT, started_at=or_null(MOMENT), stopped_at=or_null(MOMENT), pending_changes=listed(TEXT),
    ),
    "Release": members(
        id=TEXT, status=one_of(ReleaseStatus), reason=or_null(TEXT), current=FLAG, template_id=or_null(TEXT),
        template_revision=or_null(INTEGER), source=SOURCE, variables=VARIABLES,
        images=listed(members(service=TEXT, image=TEXT, digest=or_null(TEXT))), restores=or_null(TEXT), created_at=MOMENT,
        deployed_at=or_null(MOMENT),
    ),
    "Deploy": members(**_DEPLOY),
    "DeployRecord": members(**_DEPLOY, steps=_FROM_NODE, health_attempts=_FROM_NODE, log_tail=_FROM_NODE),
    "Domain": members(
        hostname=TEXT, status=one_of(DomainStatus), records=_RECORDS, method=or_null(TEXT), problem=or_null(TEXT),
        created_at=MOMENT, verified_at=or_null(MOMENT),
    ),
    "Node": members(**_NODE),
    "NewNode": members(**_NODE, join_token=TEXT, join_command=TEXT),
    "SshKey": members(id=_identifier("sshkey_"), name=TEXT, public_key=TEXT, fingerprint=TEXT, created_at=MOMENT),
    "MonitoredHealth": members(
        status=one_of(Health),
        containers=listed(
            members(name=TEXT, status=TEXT, health=one_of(Health), started_at=or_null(TEXT), restarts=INTEGER)
        ),
        checked_at=MOMENT,
    ),
    "MonitoredStats": members(
        containers=listed({
            "type": "object",
            "required": [
                "name", "cpu_percent", "memory_usage_bytes", "memory_limit_bytes", "memory_percent", "network_rx_bytes",
                "network_tx_bytes", "block_read_bytes", "block_write_bytes", "pids",
            ],
        }),
        collected_at=MOMENT,
    ),
    "LogLine": members(
        id=or_null(TEXT), container=or_null(TEXT), timestamp=or_null(TEXT), stream=or_null(TEXT), message=or_null(TEXT)
    ),
    "Event": members(
        id=or_null(TEXT), type=or_null(TEXT), container=or_null(TEXT), message=or_null(TEXT), timestamp=or_null(TEXT)
    ),
}  # fmt: skip
