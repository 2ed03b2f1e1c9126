# The service for a team, on a CPU; docs/use/service.md says how to run it. For Docker and Podman alike.
FROM docker.io/library/python:3.11-slim-bookworm AS build
ENV PIP_CONSTRAINT=/src/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY constraints.txt /src/
RUN python3 -m venv /opt/temperfill
COPY . /src/
RUN /opt/temperfill/bin/pip install "/src[heif,dust]"

FROM docker.io/library/python:3.11-slim-bookworm
COPY --from=build /opt/temperfill /opt/temperfill
# Nothing is written but parts of uploads, in /tmp.
ENV PATH=/opt/temperfill/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 10001:10001
WORKDIR /tmp
EXPOSE 8017
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8017/healthz', timeout=5)"]
ENTRYPOINT ["temperfill"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8017"]
