# One recipe for the three services: `--build-arg SERVICE=gateway|hoster|worker`. Built by `make up`, which fetches the locked wheels into
# deploy/build/wheels first, so that the build itself needs no network.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}
WORKDIR /app
COPY requirements.lock deploy/build/wheels/ /wheels/
RUN python3 -m venv /venv \
 && /venv/bin/pip install --quiet --no-cache-dir --no-index --find-links /wheels --require-hashes -r /wheels/requirements.lock \
 && rm -r /wheels
ARG SERVICE
# The worker fetches sources with git, which the public base image lacks; the one made without a registry has it.
RUN if [ "$SERVICE" = worker ] && ! command -v git && command -v apt-get; then \
      apt-get update -qq && apt-get install -y -qq --no-install-recommends git openssh-client && rm -r /var/lib/apt/lists/*; \
    fi
COPY shared /app/shared
COPY ${SERVICE} /app/${SERVICE}
COPY platform__mypyc.*.so requirements.lock /app/
# What the machine that builds has compiled is used where it runs on this Python and C library too; else the sources do.
RUN /venv/bin/python -c 'import shared.relay.server' || find /app -name '*.so' -delete
# Hoster sends these to the machines that it makes nodes of.
COPY worker /app/worker
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SERVICE=${SERVICE}
VOLUME /data
# exec: the service is process 1 and gets SIGTERM itself.
CMD ["sh", "-c", "exec python -m $SERVICE"]
