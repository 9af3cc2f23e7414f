# docker build --target api .        the HTTP API: without torch, so it is small and starts fast
# docker build --target worker .     the worker, for CPUs and NVIDIA GPUs
#
# The worker's torch brings CUDA. For an image without it, name PyTorch's index of CPU wheels in
# --build-arg PIP_EXTRA_INDEX_URL=...

ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /build
COPY pyproject.toml ./
COPY service service
COPY worker worker
COPY migrations migrations
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && set -- /wheels/*.whl \
    && echo "salience-audit @ file://$1" > /wheels/api.txt \
    && echo "salience-audit[worker,formats,clouds] @ file://$1" > /wheels/worker.txt

FROM python:${PYTHON} AS runtime
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SALIENCE_DATA_DIR=/var/lib/salience
RUN useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/salience salience \
    && install --directory --owner salience --group salience /var/lib/salience/artifacts
WORKDIR /var/lib/salience

FROM runtime AS api
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --requirement /wheels/api.txt
ENV SALIENCE_HOST=0.0.0.0 SALIENCE_PORT=8000
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["salience", "serve"]

FROM runtime AS worker
ARG PIP_EXTRA_INDEX_URL
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --requirement /wheels/worker.txt
USER 10001:10001
CMD ["salience", "worker"]
