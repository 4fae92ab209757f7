"""compose.yaml: valid, complete, and open to nobody but this machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from eddyline.stack.settings import StackSettings
from eddyline.stack.workers import KINDS
from tests.unit.deploy.manifests import compose, compose_containers
from tests.unit.deploy.names import DEPLOY, ROOT, SETTING, main_of, setting_names, settings_classes

FOLDER = DEPLOY / "compose"
FILE = FOLDER / "compose.yaml"
SERVICES = compose()["services"]
OF_THE_COMPOSITION = {
    "EDDYLINE_HOME",
    "EDDYLINE_INSTANCE",
    "EDDYLINE_HTTP_PORT",
    "EDDYLINE_KAFKA_SECURITY_PROTOCOL",
    "EDDYLINE_KAFKA_SASL_MECHANISM",
    "EDDYLINE_KAFKA_SASL_USERNAME",
    "EDDYLINE_KAFKA_SASL_PASSWORD",
    "EDDYLINE_KAFKA_SSL_CA",
    "EDDYLINE_KAFKA_SSL_CERTIFICATE",
    "EDDYLINE_KAFKA_SSL_KEY",
    "EDDYLINE_REDIS_CLUSTER",
    "EDDYLINE_REPLICATION_FACTOR",
    "EDDYLINE_INFERENCE",
    "EDDYLINE_TRITON_SSL",
    "EDDYLINE_TRITON_SSL_CA",
    "EDDYLINE_PROMETHEUS_URL",
}
"""What follows from which containers there are: an environment for another deployment must not change it."""


def test_the_file_is_valid_compose():
    checker = str(Path(sys.executable).with_name("check-jsonschema"))
    argv = [checker, "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_of_worker_is_a_service(kind):
    assert SERVICES[kind.name]["command"] == [kind.module]


@pytest.mark.parametrize("container", compose_containers(), ids=lambda container: container.place)
def test_each_service_runs_a_module_that_exists(container):
    assert main_of(container.module)


def test_each_setting_exists():
    assert set(SETTING.findall(FILE.read_text())) <= setting_names()


def test_a_container_gets_every_setting_of_its_process_that_is_in_the_environment_of_compose():
    processes = settings_classes() - {StackSettings}
    wanted = {f"EDDYLINE_{name.upper()}" for cls in processes for name in cls.model_fields}
    for container in compose_containers():
        handed_on = {name for name, value in container.settings.items() if value is None}
        assert wanted - set(container.settings) <= OF_THE_COMPOSITION
        assert not handed_on & OF_THE_COMPOSITION


def test_workers_have_instance_numbers_and_run_again_tasks_do_not():
    for container in compose_containers():
        numbered = "EDDYLINE_INSTANCE" in container.settings
        assert container.declared["restart"] == ("unless-stopped" if numbered else "no")
    workers = {each.module for each in compose_containers() if "EDDYLINE_INSTANCE" in each.settings}
    assert {kind.module for kind in KINDS} <= workers


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_exists_and_can_tell(name):
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_completed_successfully":
            assert SERVICES[needed]["restart"] == "no"
        else:
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in SERVICES[needed] or SERVICES[needed]["image"].startswith("eddyline/")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_worker_waits_for_what_it_waits_for_in_the_local_stack(kind):
    waits_for = set(SERVICES[kind.name]["depends_on"])
    through_others = {deeper for name in waits_for for deeper in SERVICES[name].get("depends_on", {})}
    assert set(kind.after) <= waits_for | through_others


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_the_loopback_only(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_mounts_is_a_declared_volume_or_a_file_that_exists(name):
    for volume in SERVICES[name].get("volumes", []):
        source = volume.partition(":")[0]
        assert source in compose()["volumes"] or (FOLDER / source).exists(), volume


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "build" in service])
def test_what_is_built_is_built_of_a_file_that_exists(name):
    build = SERVICES[name]["build"]
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
    extra = build.get("args", {}).get("PROCESS", "triton")
    assert SERVICES[name]["image"] == f"eddyline/{extra}"


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "build" not in service])
def test_images_of_others_are_of_a_version(name):
    tag = SERVICES[name]["image"].partition(":")[2]
    assert any(character.isdigit() for character in tag)
