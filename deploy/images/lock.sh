#!/bin/sh
# Writes the locks of the images: of requirements.lock, the part that each one installs.
set -eu
cd "$(dirname "$0")/../.."

lock() { # lock NAME SOURCE...
    name=$1
    shift
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --constraints requirements.lock \
        --generate-hashes --no-emit-index-url --no-header --no-annotate "$@" --output-file "deploy/images/locks/$name.txt"
}

for extra in ingest features join ranker cli; do
    lock "$extra" --extra "$extra" pyproject.toml
done
lock triton deploy/images/triton.in
lock build deploy/images/build.in
