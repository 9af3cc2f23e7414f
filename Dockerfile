# docker build --target api .        the HTTP API, without torch: a small image that starts fast
# docker build --target worker .     the worker, for CPUs and NVIDIA GPUs
#
# deploy/constraints.txt pins every version (`make lock`), except those of CUDA, which torch pins itself. For an image
# without CUDA, pass PyTorch's index of CPU wheels: --build-arg PIP_EXTRA_INDEX_URL=...

ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /build
COPY pyproject.toml ./
COPY salience salience
COPY service service
COPY worker worker
COPY migrations migrations
COPY deploy/constraints.txt /wheels/constraints.txt
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && set -- /wheels/*.whl \
    && echo "salience-audit[clouds,traces] @ file://$1" > /wheels/api.txt \
    && echo "salience-audit[worker,formats,clouds,traces] @ file://$1" > /wheels/worker.txt

FROM build AS api-environment
RUN python -m venv --without-pip /opt/salience \
    && pip --python /opt/salience/bin/python install --no-cache-dir \
        --constraint /wheels/constraints.txt --requirement /wheels/api.txt

FROM build AS worker-environment
ARG PIP_EXTRA_INDEX_URL
RUN python -m venv --without-pip /opt/salience \
    && pip --python /opt/salience/bin/python install --no-cache-dir \
        --constraint /wheels/constraints.txt --requirement /wheels/worker.txt

# The final images have no compiler, no source and no pip. Their user can write only state, cache and /tmp.
FROM python:${PYTHON} AS runtime
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1 PATH=/opt/salience/bin:$PATH \
    SALIENCE_DATA_DIR=/var/lib/salience SALIENCE_LOG_FORMAT=json
RUN useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/salience --shell /usr/sbin/nologin salience \
    && install --directory --owner salience --group salience /var/lib/salience/artifacts /var/lib/salience/cache \
    && pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel
WORKDIR /var/lib/salience

FROM runtime AS api
COPY --from=api-environment /opt/salience /opt/salience
ENV SALIENCE_HOST=0.0.0.0 SALIENCE_PORT=8000 SALIENCE_REQUIRE_KEYS=true
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["salience", "serve"]

FROM runtime AS worker
COPY --from=worker-environment /opt/salience /opt/salience
# The health check reads the metrics of the first worker process. SALIENCE_METRICS_HOST=0.0.0.0 exposes them.
ENV SALIENCE_METRICS_PORT=9464
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=6 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/metrics', timeout=9)"]
CMD ["salience", "worker"]
