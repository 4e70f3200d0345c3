"""nginx as a plain proxy, and with Lua and Redis as a gateway with the same two limits as ours."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from redis import Redis

from tests.bench.peers.contender import Lane, Running, Site, own_folder, program, wait_for
from tests.bench.peers.tokens import USER_ID, shared_secret_token
from tests.free_ports import free_port

_RESERVE = Path("gateway/counters/reserve.lua")
_QUOTA = f"bench:{{{USER_ID}}}:quota"

_COMMON = """
{modules}
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000;
  {lua}
  upstream app {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Request-ID $request_id;
    {locations}
  }}
}}
"""

_LUA = """
  lua_shared_dict verified 64m;
  init_worker_by_lua_block {{
    redis = require "nginx.redis"; cjson = require "cjson.safe"; secret = "a-secret-for-measurements-of-32-bytes"; last = nil
    local ffi = require "ffi"
    ffi.cdef[[ const void *EVP_sha256(void);
      unsigned char *HMAC(const void *, const void *, int, const char *, size_t, unsigned char *, unsigned int *); ]]
    local digest, size = ffi.new("unsigned char[32]"), ffi.new("unsigned int[1]")
    hs256 = function(text)
      ffi.C.HMAC(ffi.C.EVP_sha256(), secret, #secret, text, #text, digest, size)
      return (ngx.encode_base64(ffi.string(digest, 32), true):gsub("+", "-"):gsub("/", "_"))
    end
    identify = function()
      local token = ngx.var.http_authorization
      if not token then return ngx.exit(401) end
      local known = ngx.shared.verified:get(token)
      if not known then
        local head, body, signature = token:match("^Bearer ([^.]+)%.([^.]+)%.([^.]+)$")
        if not head or hs256(head .. "." .. body) ~= signature then return ngx.exit(401) end
        known = ngx.decode_base64(body:gsub("-", "+"):gsub("_", "/") .. ("="):rep(-#body % 4))
        ngx.shared.verified:set(token, known, 60)
      end
      local claims = cjson.decode(known)
      if not claims or claims.exp < ngx.time() then return ngx.exit(401) end
      ngx.req.clear_header("Authorization")
      local text = table.concat({{ngx.time(), ngx.req.get_method(), ngx.var.request_uri, claims.sub, claims.orgId, claims.plan, ngx.var.request_id}}, "\\n")
      ngx.req.set_header("X-User-ID", claims.sub); ngx.req.set_header("X-Org-ID", claims.orgId); ngx.req.set_header("X-Plan-ID", claims.plan)
      ngx.req.set_header("X-Identity-Signature", "t=" .. ngx.time() .. ",v1=" .. ngx.encode_base64(ngx.hmac_sha1(secret, text)))
      return claims
    end
    admit = function(claims)
      local link = redis:new(); link:set_timeout(50)
      local ok = link:connect("127.0.0.1", {redis})
      if not ok then return ngx.exit(503) end
      local user = "bench:{{" .. claims.sub .. "}}"
      local verdict = link:evalsha("{sha}", 3, user .. ":rate", user .. ":quota", user .. ":open",
        0, 99999999999, -1, 1, 5000000, ngx.var.request_id, "nginx", 99999999999, last)
      last = ngx.var.request_id
      if not verdict then return ngx.exit(503) end
      link:set_keepalive(60000, 256)
      if verdict[1] ~= "admitted" then return ngx.exit(429) end
      ngx.header["X-Quota-Used"] = verdict[2]; ngx.header["X-RateLimit-Remaining"] = verdict[3]
    end
  }}
"""

_LUA_LOCATIONS = """
    location /identity/ { access_by_lua_block { identify() } proxy_pass http://app; }
    location /billing/ { access_by_lua_block { admit(identify()) } proxy_pass http://app; }
"""


@contextmanager
def _nginx(place: Site, modules: str, lua: str, locations: str) -> Iterator[tuple[int, int]]:
    port = free_port()
    text = _COMMON.format(
        modules=modules,
        folder=place.folder,
        lua=lua,
        upstream=place.upstream_port,
        port=port,
        locations=locations,
    )
    (place.folder / "nginx.conf").write_text(text)
    log = place.folder / "nginx.log"
    with program(["nginx", "-c", str(place.folder / "nginx.conf")], log) as pid:
        wait_for(port, log)
        yield pid, port


class Nginx:
    name = "nginx"
    leaves_out: ClassVar[Mapping[Lane, str]] = {Lane.PLAIN: ""}

    @contextmanager
    def running(self, site: Site) -> Iterator[Running]:
        with _nginx(own_folder(site, self.name), "", "", "location / { proxy_pass http://app; }") as (
            pid,
            port,
        ):
            yield Running(pid, {Lane.PLAIN: f"http://127.0.0.1:{port}/"})


class NginxLua:
    name = "nginx + Lua + Redis"
    leaves_out: ClassVar[Mapping[Lane, str]] = {
        Lane.IDENTITY: "HS256 instead of EdDSA, identity signed with SHA-1, no revocation, no user status",
        Lane.BILLING: "the same, and records nothing: no event, no refund of errors, no month",
    }

    @contextmanager
    def running(self, site: Site) -> Iterator[Running]:
        place = own_folder(site, "nginx-lua")
        with Redis(port=site.redis_port) as redis:
            sha = redis.script_load(_RESERVE.read_text())
            redis.set(_QUOTA, 0)
        modules = "".join(
            f"load_module /usr/lib/nginx/modules/{name}.so;"
            for name in ("ndk_http_module", "ngx_http_lua_module")
        )
        lua = _LUA.format(redis=site.redis_port, sha=sha)
        headers = {"Authorization": f"Bearer {shared_secret_token()}"}
        with _nginx(place, modules, lua, _LUA_LOCATIONS) as (pid, port):
            base = f"http://127.0.0.1:{port}"
            yield Running(
                pid,
                {Lane.IDENTITY: f"{base}/identity/", Lane.BILLING: f"{base}/billing/"},
                {Lane.IDENTITY: headers, Lane.BILLING: headers},
                USER_ID,
                lambda: _counted(site.redis_port),
            )


def _counted(redis_port: int) -> int:
    with Redis(port=redis_port) as redis:
        return int(redis.get(_QUOTA))
