"""Network policies: closed to the rest, open to all that our pods ask each other and what they stand on."""

from urllib.parse import urlsplit

import pytest

from feature_store.settings import Settings
from tests.unit.deploy.manifests import kubernetes_settings, of_kind, pod_specs, selected

PODS = {owner["metadata"]["name"]: pod for owner, pod in pod_specs()}
TRITON = sorted(name for name in kubernetes_settings() if name.startswith("EDDYLINE_TRITON_"))
PROMETHEUS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
CALLERS = {"namespaceSelector": {"matchLabels": {"eddyline/caller": "true"}}}


def rules(owner, direction):
    """Rules of all policies that cover the pods of ``owner``."""
    specs = [policy["spec"] for policy in of_kind("NetworkPolicy").values()]
    covering = [spec for spec in specs if owner in selected(spec["podSelector"]["matchLabels"])]
    return [rule for spec in covering for rule in spec.get(direction, [])]


def ports(found):
    """Ports, named or numbered, that rules let through."""
    return {allowed["port"] for rule in found for allowed in rule["ports"]}


def about(peers, other):
    """Whether the pods of ``other`` are among the peers of a rule."""
    return any(
        "podSelector" in peer and other in selected(peer["podSelector"]["matchLabels"]) for peer in peers
    )


def listening(owner):
    """Name → number of the ports of the pods of ``owner``."""
    containers = PODS[owner]["containers"]
    return {each["name"]: each["containerPort"] for one in containers for each in one.get("ports", [])}


def server(address):
    """(owner of the pods, names that a policy may call their port by) behind host:port of a service."""
    host, port = address.split(":")
    spec = of_kind("Service")[host]["spec"]
    [owner] = selected(spec["selector"])
    [target] = [each["targetPort"] for each in spec["ports"] if each["port"] == int(port)]
    return owner, {target, listening(owner)[target]}


@pytest.mark.parametrize("name, policy", of_kind("NetworkPolicy").items())
def test_a_network_policy_covers_pods_that_exist(name, policy):
    assert selected(policy["spec"]["podSelector"]["matchLabels"])


@pytest.mark.parametrize("name", TRITON)
@pytest.mark.parametrize("pod", sorted(PODS.keys() - {"eddyline-triton"}))
def test_our_pods_reach_triton_by_every_address_of_the_settings(pod, name):
    triton, port = server(kubernetes_settings()[name])
    assert port & ports(rule for rule in rules(pod, "egress") if about(rule.get("to", []), triton))
    assert port & ports(rule for rule in rules(triton, "ingress") if about(rule["from"], pod))


@pytest.mark.parametrize("pod", PODS)
def test_our_pods_reach_kafka_and_redis_wherever_they_are(pod):
    kafka = int(kubernetes_settings()["EDDYLINE_KAFKA_BOOTSTRAP"].split(":")[1])
    redis = urlsplit(Settings.model_fields["redis_url"].default.get_secret_value()).port
    assert {kafka, redis, 53} <= ports(rule for rule in rules(pod, "egress") if "to" not in rule)


@pytest.mark.parametrize("pod", [pod for pod in PODS if "metrics" in listening(pod)])
def test_prometheus_reaches_the_metrics(pod):
    assert "metrics" in ports(rule for rule in rules(pod, "ingress") if PROMETHEUS in rule["from"])


def test_callers_reach_the_front_doors_and_nothing_else():
    for pod in PODS:
        open_to_callers = ports(rule for rule in rules(pod, "ingress") if CALLERS in rule["from"])
        assert open_to_callers == ({"http"} if pod == "eddyline-ranker" else set())
