"""The Helm chart with the values of every example: rendered by helm, held against the schemas of Kubernetes and the types of KEDA and of the
Prometheus operator, against the pod security standard "restricted", and against what the programs and images of this tree know."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = pathlib.Path(sys.argv[1])
HELM = TOOLS / "bin/helm"
CHART = ROOT / "deploy/helm/reelgate"
EXAMPLES = sorted((ROOT / "deploy/helm/examples").glob("*.yaml"))
# The oldest that the chart takes, and the newest whose schemas there are.
VERSIONS = ["1.29", kubernetes_validate.latest_version()]
CUSTOM = {
    "keda.sh/v1alpha1": "@kubernetes-models/keda/keda.sh/v1alpha1",
    "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
}
SECRETS = {
    "REELGATE__DATABASE__URL": "postgres://reelgate:secret@database/reelgate",
    "REELGATE__QUEUE__URL": "rediss://:secret@redis:6379",
    "REELGATE__AUTH__SECRET": "0123456789abcdef" * 4,
    "REELGATE__TOKENS__KEYS": "k1:" + "A" * 43 + "=",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
}
# What is left out by default, so that the rest is looked at as well.
EVERYTHING = [
    "--set", "monitoring.serviceMonitor.enabled=true", "--set", "monitoring.prometheusRule.enabled=true",
    "--set", "monitoring.dashboards.enabled=true", "--set", "config.storage.url=s3://media/main",
]


def helm(*arguments, fails=False):
    run = subprocess.run([HELM, *arguments], capture_output=True, text=True)
    assert (run.returncode != 0) == fails, f"helm {arguments}: {run.stdout}{run.stderr}"
    return run.stdout


def render(*arguments, fails=False):
    text = helm("template", "media", CHART, "--namespace", "films", *arguments, fails=fails)
    return [document for document in yaml.safe_load_all(text) if document]


def fits_kubernetes(documents):
    for version in VERSIONS:
        for document in documents:
            if document["apiVersion"] not in CUSTOM:
                kubernetes_validate.validate(document, version, strict=True)


def fits_custom_types(named):
    """Literals, so that the compiler refuses members that a type does not have."""
    lines = []
    for index, (api, kind) in enumerate(sorted({(d["apiVersion"], d["kind"]) for _, d in named})):
        lines.append(f'import type {{ I{kind} }} from "{CUSTOM[api]}";')
    for index, (name, document) in enumerate(named):
        lines.append(f"// {name}\nexport const it{index}: I{document['kind']} = {json.dumps(document)};")
    with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        source = pathlib.Path(folder) / "all.ts"
        source.write_text("\n".join(lines))
        compiler = [TOOLS / "node_modules/.bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", source]
        return subprocess.run(compiler, capture_output=True, text=True)


def pods(documents):
    for document in documents:
        if document["kind"] in ("Deployment", "Job"):
            yield f"{document['kind']} {document['metadata']['name']}", document["spec"]["template"]


def is_restricted(name, spec):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and a little more."""
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        assert not spec.get(key), f"{name}: {key}"
    assert spec["automountServiceAccountToken"] is False, name
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] > 0, name
    assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", name
    for volume in spec.get("volumes", []):
        assert set(volume) == {"name", "emptyDir"} and volume["emptyDir"]["sizeLimit"], f"{name}: {volume}"
    for container in spec["containers"] + spec.get("initContainers", []):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False and not context["privileged"], name
        assert context["readOnlyRootFilesystem"] and context["runAsNonRoot"], name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert container["resources"]["requests"] and container["resources"]["limits"]["memory"], name
        assert all("hostPort" not in port for port in container.get("ports", [])), name


def sample():
    """Every key there is: a test of the `reelgate` crate holds the sample against the programs."""
    known, section = set(), None
    for line in (ROOT / "reelgate.toml").read_text().splitlines():
        if match := re.match(r"\[(\w+)\]", line):
            section = match.group(1)
        elif match := re.match(r"#{1,2}(\w+) = ", line):
            known.add(f"REELGATE__{section}__{match.group(1)}".upper())
    assert len(known) > 100, known
    return known


KNOWN = sample()


def environment(container):
    return {it["name"]: it.get("value", SECRETS.get(it["name"])) for it in container.get("env", [])}



def lanes_of(deployment):
    """What the workers of a pool serve; nothing where they serve all."""
    return environment(deployment["spec"]["template"]["spec"]["containers"][0]).get("REELGATE__WORKER__LANES")


def is_known(name, container):
    names = [it["name"] for it in container.get("env", [])]
    assert len(names) == len(set(names)), f"{name}: a variable stands twice: {names}"
    for variable in names:
        assert variable in KNOWN or variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), f"{name}: {variable}"
    for it in container["env"]:
        if it["name"] in SECRETS:
            assert it["valueFrom"]["secretKeyRef"]["name"] and it["valueFrom"]["secretKeyRef"]["key"], f"{name}: {it}"


def is_taken(name, container):
    """The program itself reads every section, as each does at its start; this command asks nobody."""
    program = next((path for it in ("debug", "release") if (path := ROOT / "target" / it / "reelgate").exists()), None)
    assert program, "build it first: cargo build --bin reelgate"

    def run(more):
        # Of who signs people in elsewhere there is no secret, which this command wants.
        said = {"REELGATE__AUTH__SECRET": SECRETS["REELGATE__AUTH__SECRET"], **environment(container), **more}
        said.pop("REELGATE__AUTH__JWKS", None)
        command = [program, "token", "--sub", "a", "--org", "b"]
        return subprocess.run(command, env=said, capture_output=True, text=True)

    run_as_it_is = run({})
    assert run_as_it_is.returncode == 0, f"{name}: {run_as_it_is.stderr}"
    misspelt = run({"REELGATE__STORAGE__URI": "s3://media"})
    assert misspelt.returncode != 0 and "uri" in misspelt.stderr, f"{name}: a misspelt key passes"


def is_in_its_image(name, container):
    target = container["image"].rsplit("/", 1)[1].split(":")[0]
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    stage = re.search(rf"^FROM \S+ AS {target}\n(.*?)(?=^FROM |\Z)", dockerfile, re.M | re.S)
    assert stage, f"{name}: no image {target}"
    program = container["command"][0]
    assert f" /usr/local/bin/{program}\n" in stage.group(1), f"{name}: {program} is not in the image {target}"
    assert "\nUSER 10001:10001\n" in stage.group(1), name
    base = dockerfile.split(" AS base\n")[1].split("\nFROM ")[0]
    stop = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
    # `sleep`, `timeout` and `sh` are coreutils' and every Debian's.
    assert "curl" not in " ".join(stop) or " curl " in base, f"{name}: no curl"
    assert not stop or stop[0] in ("sleep", "timeout"), f"{name}: {stop}"


def ends_in_time(name, spec):
    """Whatever preStop and the drain may take is within the time that Kubernetes gives."""
    for container in spec["containers"]:
        stop = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
        if stop:
            said = environment(container)
            drain = int(said.get("REELGATE__HTTP__DRAIN_SECONDS", 30)) if "gateway" in name else 30
            assert int(stop[1]) + drain < spec["terminationGracePeriodSeconds"], f"{name}: {stop}"


def fits_together(documents):
    """Names and labels by which objects point at each other."""
    by_kind = {}
    for document in documents:
        by_kind.setdefault(document["kind"], {})[document["metadata"]["name"]] = document
    labels = [(name, pod["metadata"]["labels"], pod["spec"]) for name, pod in pods(documents)]

    def chosen(selector):
        return [(name, spec) for name, of, spec in labels if selector.items() <= of.items()]

    for name, service in by_kind["Service"].items():
        found = chosen(service["spec"]["selector"])
        assert [it[0] for it in found] == ["Deployment media-reelgate-gateway"], f"{name}: {found}"
        ports = {port["name"] for port in found[0][1]["containers"][0]["ports"]}
        assert all(port["targetPort"] in ports for port in service["spec"]["ports"]), name
    for kind, at_least in (("PodDisruptionBudget", 1), ("NetworkPolicy", 1), ("PodMonitor", 1)):
        for name, document in by_kind.get(kind, {}).items():
            spec = document["spec"]
            selector = (spec.get("podSelector") or spec.get("selector"))["matchLabels"]
            assert len(chosen(selector)) >= at_least, f"{kind} {name} chooses nothing"
    for monitor in by_kind.get("ServiceMonitor", {}).values():
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        assert [n for n, s in by_kind["Service"].items() if wanted <= s["metadata"]["labels"].items()] == ["media-reelgate-ops"]
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for document in by_kind.get(kind, {}).values():
            target = by_kind["Deployment"][document["spec"]["scaleTargetRef"]["name"]]
            assert "replicas" not in target["spec"], f"{kind}: {target['metadata']['name']} has two who decide"
    for scaled in by_kind.get("ScaledObject", {}).values():
        for trigger in scaled["spec"]["triggers"]:
            lanes = lanes_of(by_kind["Deployment"][scaled["spec"]["scaleTargetRef"]["name"]])
            query = f"?lane={lanes}" if lanes else ""
            assert trigger["metadata"]["url"] == "http://media-reelgate-ops.films.svc:9090/scaling" + query, trigger
            assert trigger["metadata"]["valueLocation"] in ("load", "oldest_wait_seconds"), trigger
    for name, _, spec in labels:
        account = spec.get("serviceAccountName")
        assert account is None or account in by_kind["ServiceAccount"], f"{name}: no service account {account}"
        for container in spec["containers"]:
            mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounts == {volume["name"] for volume in spec.get("volumes", [])}, name
            ports = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                assert ("Job" in name) or container[probe]["httpGet"]["port"] in ports, f"{name}: {probe}"
    assert "helm.sh/hook" in by_kind["Job"]["media-reelgate-migrate"]["metadata"]["annotations"]


def check(name, documents):
    fits_kubernetes(documents)
    for pod_name, pod in pods(documents):
        is_restricted(pod_name, pod["spec"])
        ends_in_time(pod_name, pod["spec"])
        for container in pod["spec"]["containers"]:
            is_known(pod_name, container)
            is_in_its_image(pod_name, container)
            is_taken(pod_name, container)
    fits_together(documents)
    print(f"ok    {name}: {len(documents)} objects")


def refuses_what_is_wrong(documents):
    """A check that takes everything checks nothing."""
    base = ["--set", "config.storage.url=s3://media/main"]
    for wrong in ("gateway.replica=3", "workers.Standard.replicas=1", "config.auth.secret=x", "image.pullPolicy=Sometimes", "config.storage.url="):
        render(*base, "--set", wrong, fails=True)
    # A pool with lanes instead of the one that serves all.
    pools = [*base, "--set", "workers.standard=null", "--set"]
    render(*pools, "workers.a.lanes={small,large}")
    for wrong in ("workers.a.lanes={small}", "workers.a.lanes={large,gpu}", "workers.a.lanes={small,large},config.lanes.gpu=true", "workers.a.config.worker.lanes={small}"):
        render(*pools, wrong, fails=True)
    for breakage in ({"spec": {"replicas": "two"}}, {"spec": {"templates": {}}}):
        deployment = next(d for d in documents if d["kind"] == "Deployment")
        broken = {**deployment, "spec": {**deployment["spec"], **breakage["spec"]}}
        try:
            fits_kubernetes([broken])
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError):
            continue
        raise AssertionError(f"the schema takes {breakage}")
    misspelt = render(*base, "--set", "config.storage.uri=s3://x")
    try:
        for name, pod in pods(misspelt):
            is_known(name, pod["spec"]["containers"][0])
    except AssertionError:
        pass
    else:
        raise AssertionError("a misspelt setting passes")
    scaled = next(d for d in documents if d["kind"] == "ScaledObject")
    for breakage in ({"minReplicaCounts": 0}, {"minReplicaCount": "0"}):
        broken = {**scaled, "spec": {**scaled["spec"], **breakage}}
        assert fits_custom_types([("broken", broken)]).returncode != 0, f"the types take {breakage}"
    print("ok    what is wrong is refused")


def main():
    assert len(EXAMPLES) >= 3, EXAMPLES
    rendered = {"everything": render(*EVERYTHING)}
    for example in EXAMPLES:
        helm("lint", "--strict", CHART, "--values", example)
        rendered[example.name] = render("--values", example)
    for name, documents in rendered.items():
        check(name, documents)
    custom = [(name, d) for name, documents in rendered.items() for d in documents if d["apiVersion"] in CUSTOM]
    assert {d["kind"] for _, d in custom} == {"ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule"}
    compiled = fits_custom_types(custom)
    assert compiled.returncode == 0, compiled.stdout
    print(f"ok    {len(custom)} custom resources")
    refuses_what_is_wrong(rendered["everything"])
    # Prometheus reads the very rules that stand in deploy/prometheus.
    rules = next(d for _, d in custom if d["kind"] == "PrometheusRule")["spec"]
    assert rules == yaml.safe_load((ROOT / "deploy/prometheus/reelgate.yml").read_text())
    boards = [d for d in rendered["everything"] if d["kind"] == "ConfigMap"]
    assert len(boards) == len(list((ROOT / "deploy/grafana").glob("*.json")))
    assert all(json.loads(text)["panels"] for board in boards for text in board["data"].values())


if __name__ == "__main__":
    os.environ.setdefault("HELM_NO_PLUGINS", "1")
    sys.exit(main())
