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

   Open it in a browser and sign up: the console takes it from there. Or, by the API:
     curl -s {url}/mod/auth/register -d '{{"email":"me@example.com","password":"a long password"}}'

   Data is in {plan.data}/ ; Ctrl-C stops everything.
  ────────────────────────────────────────────────────────────────────────
"""
