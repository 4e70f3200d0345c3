"""The parts that run projects, wired in one place."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from shared.clock import Clock
from shared.config import Secret
from shared.database import Database
from shared.ids import new_id
from worker.config import Config
from worker.deploys.candidate import Candidates
from worker.deploys.commands import DeployCommands
from worker.deploys.conductor import Conductor
from worker.deploys.generation import Generations
from worker.deploys.handover import Handover
from worker.deploys.health import Probes
from worker.deploys.images import FetchedImages
from worker.deploys.interruptions import Interruptions
from worker.deploys.lanes import Lanes
from worker.deploys.orphans import Orphans
from worker.deploys.pins import Pins
from worker.deploys.pruning import Pruning
from worker.deploys.publication import Publication
from worker.deploys.records import Records
from worker.deploys.releases import ReleaseStore
from worker.deploys.removal import Removal
from worker.deploys.rollout import Rollout
from worker.deploys.sealing import RequestCipher
from worker.deploys.startup import Startup
from worker.deploys.store import DeployStore
from worker.deploys.upkeep import Upkeep
from worker.deploys.watch import Watch
from worker.events.log import EventLog
from worker.files.listing import ReleaseFiles
from worker.firewall.firewall import Firewall
from worker.firewall.nft import Nft
from worker.firewall.records import FirewallRecords
from worker.firewall.ruleset import Ground, table_name
from worker.mesh.table import MeshTable
from worker.nonces import Nonces
from worker.projects.commands import ProjectCommands
from worker.projects.environment import EnvironmentCipher
from worker.projects.store import ProjectStore
from worker.projects.view import ProjectView
from worker.runtime.container_files import ContainerFiles
from worker.runtime.docker_engine import DockerEngine
from worker.runtime.engine_state import EngineState
from worker.runtime.networks import OrgNetworks, bridges_pattern, own_container
from worker.runtime.subnets import host_routes
from worker.services.catalog import Catalog
from worker.services.commands import AddOnCommands
from worker.services.containers import AddOnContainers
from worker.services.links import LinkedEnvironment
from worker.services.model import ADDON_PREFIX, is_addon_id
from worker.services.store import AddOnStore
from worker.services.upkeep import AddOnUpkeep
from worker.sources.build import Sources
from worker.sources.fetch import Fetcher
from worker.webhooks.deliveries import DeliveryStore
from worker.webhooks.receiver import WebhookReceiver

_ROUTES = Path("/proc/net/route")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What this worker keeps in its data folder, read at start."""

    instance: str
    environment_key: Secret
    catalog: Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What is opened at start and closed at the end."""

    database: Database
    nonces: Nonces
    engine: DockerEngine
    files: ContainerFiles
    outgoing: aiohttp.ClientSession
    probing: aiohttp.ClientSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The parts that run projects, wired."""

    records: Records
    publication: Publication
    lanes: Lanes
    watch: Watch
    engine_state: EngineState
    projects: ProjectCommands
    deploys: DeployCommands
    view: ProjectView
    pruning: Pruning
    fetcher: Fetcher
    catalog: Catalog
    addons: AddOnCommands
    files: ReleaseFiles
    webhooks: WebhookReceiver
    firewall: Firewall


def build_platform(
    config: Config,
    installed: Installation,
    resources: Resources,
    table: MeshTable,
    clock: Clock,
    *,
    on_deleted: Callable[[str], None],
) -> Platform:
    engine = resources.engine
    cipher = EnvironmentCipher(installed.environment_key)
    records = _records(resources.database, cipher, clock)
    networks = _networks(config, installed.instance, engine)
    generations = Generations(engine, networks, cipher, installed.instance)
    publication = Publication(table)
    probes = Probes(resources.probing, engine, clock)
    interruptions = Interruptions()
    pruning = Pruning(engine, installed.instance, records.images)
    pins = Pins(engine, records.images, pruning)
    fetcher = Fetcher(config.data_dir / "sources", allow_local=config.allow_local_git)
    sources = Sources(engine, fetcher, networks, records, pins, installed.instance, clock)
    conductor = Conductor(
        records,
        Rollout(
            Candidates(
                generations,
                records,
                pins,
                LinkedEnvironment(records.projects, records.addons, cipher),
                Startup(engine, probes),
                sources,
                clock,
            ),
            generations,
            Handover(generations, publication, records),
            publication,
            records,
            interruptions,
        ),
        Upkeep(
            engine=engine,
            generations=generations,
            publication=publication,
            records=records,
            probes=probes,
            interruptions=interruptions,
            clock=clock,
        ),
        Removal(records, generations, networks, publication, fetcher, pruning, on_deleted),
        publication,
        pruning,
    )
    orphans = Orphans(records, generations, networks, pruning)
    addon_upkeep = AddOnUpkeep(
        engine=engine,
        containers=AddOnContainers(engine, networks, installed.instance),
        records=records,
        pins=pins,
        cipher=cipher,
        interruptions=interruptions,
        clock=clock,
    )

    async def turn(owner: str) -> bool:
        return await (addon_upkeep.turn(owner) if is_addon_id(owner) else conductor.turn(owner))

    lanes = Lanes(turn)
    deploys = DeployCommands(engine, records, lanes, interruptions, lambda: new_id("dpl_"))
    engine_state = EngineState()
    return Platform(
        records=records,
        publication=publication,
        lanes=lanes,
        watch=Watch(engine, installed.instance, records, publication, lanes, orphans, engine_state),
        engine_state=engine_state,
        projects=ProjectCommands(
            engine=engine,
            networks=networks,
            records=records,
            publication=publication,
            cipher=cipher,
            lanes=lanes,
            interruptions=interruptions,
        ),
        deploys=deploys,
        view=ProjectView(records, publication, engine, generations),
        pruning=pruning,
        fetcher=fetcher,
        catalog=installed.catalog,
        addons=AddOnCommands(
            engine=engine,
            records=records,
            cipher=cipher,
            lanes=lanes,
            interruptions=interruptions,
            new_addon_id=lambda: new_id(ADDON_PREFIX),
            clock=clock,
        ),
        webhooks=WebhookReceiver(deploys, records.projects, DeliveryStore(resources.database), cipher, clock),
        files=ReleaseFiles(records, generations, resources.files),
        firewall=Firewall(
            FirewallRecords(config.data_dir / "firewall"),
            Nft(),
            _ground(config, installed.instance),
            table,
            clock,
            networks.bridges,
            networks.bridge_name,
        ),
    )


def _records(database: Database, cipher: EnvironmentCipher, clock: Clock) -> Records:
    requests = RequestCipher(cipher)
    return Records(
        ProjectStore(database),
        DeployStore(database, requests, clock),
        ReleaseStore(database, requests),
        EventLog(database, clock),
        FetchedImages(database),
        AddOnStore(database),
    )


def _networks(config: Config, instance: str, engine: DockerEngine) -> OrgNetworks:
    return OrgNetworks(
        engine,
        instance,
        config.network_pool,
        own_container=own_container(config.own_container, socket.gethostname()),
        routes=lambda: host_routes(_ROUTES.read_text(encoding="ascii")),
    )


def _ground(config: Config, instance: str) -> Ground:
    return Ground(
        table=table_name(instance),
        ssh_port=config.ssh_port,
        management_port=config.port,
        mesh_port=config.mesh_port,
        isolate=config.isolate_host,
        tenant_ports=config.tenant_ports,
        bridges=(bridges_pattern(instance),),
    )
