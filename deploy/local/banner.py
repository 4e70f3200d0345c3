"""What a person reads once the platform is up."""

from deploy.engine import Engine
from deploy.local.plan import APP_DOMAIN, Plan


def ready(plan: Plan, engine: Engine) -> str:
    url = plan.public_url
    apps = f"deployed apps: http://<app>.{APP_DOMAIN}:{plan.mesh_port}/"
    note = apps if engine.available else f"deployments answer 503 engine_unavailable: {engine.detail}"
    return f"""
  ────────────────────────────────────────────────────────────────────────
   The platform is ready:  {url}
   {note}

   First steps (any other terminal):
     curl -s {url}/mod/auth/register -d '{{"email":"me@example.com","password":"a long password"}}'
     export TOKEN=...            # the "token" of that answer
     curl -s {url}/api/v1/templates -H "Authorization: Bearer $TOKEN"
     curl -s {url}/api/v1/deployments -H "Authorization: Bearer $TOKEN" \\
          -d '{{"name":"hello","template_id":"<id of the hello template>"}}'

   Data is in {plan.data}/ ; Ctrl-C stops everything.
  ────────────────────────────────────────────────────────────────────────
"""
