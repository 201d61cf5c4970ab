# One image for every process: API, coordinator, Ray head and Ray workers.
# Another build of torch (CPU, CUDA): docker compose build --build-arg PIP_FLAGS="--index-url URL"
FROM python:3.11-slim AS build
ARG PIP_FLAGS=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1
WORKDIR /source
RUN python -m venv /opt/blocksmith
COPY constraints.txt pyproject.toml ./
RUN /opt/blocksmith/bin/pip install -c constraints.txt ${PIP_FLAGS} uv torch==2.13.0
# Dependencies first: they change more rarely than the code, and their layer is the large one.
RUN /opt/blocksmith/bin/uv pip install --python /opt/blocksmith/bin/python -c constraints.txt \
    -r pyproject.toml --extra postgresql --extra captions
COPY README.md LICENSE ./
COPY nas nas
COPY workers workers
COPY storage storage
COPY api api
RUN /opt/blocksmith/bin/uv pip install --python /opt/blocksmith/bin/python -c constraints.txt --no-deps .

FROM python:3.11-slim
RUN groupadd --gid 10001 blocksmith \
    && useradd --uid 10001 --gid blocksmith --home-dir /home/blocksmith --create-home --shell /usr/sbin/nologin blocksmith \
    && install -d -o blocksmith -g blocksmith -m 0750 /data
COPY --from=build /opt/blocksmith /opt/blocksmith
# Caches go where a read-only container may write.
ENV PATH=/opt/blocksmith/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    XDG_CACHE_HOME=/tmp/cache \
    HF_HUB_DISABLE_TELEMETRY=1 \
    RAY_USAGE_STATS_ENABLED=0 \
    BLOCKSMITH_DATA=/data \
    BLOCKSMITH_HOST=0.0.0.0 \
    BLOCKSMITH_LOG_FORMAT=json
USER blocksmith
WORKDIR /data
VOLUME /data
EXPOSE 8484
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8484/health/live', timeout=4)"]
CMD ["blocksmith", "up"]
