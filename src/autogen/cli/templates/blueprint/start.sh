#!/bin/sh
# Sets the project up; run again, it does what is left to do.
#   PYTHON=python3.12 ./start.sh      another interpreter for venv/
#   BASE=IMAGE ./start.sh             another image below the sandbox
#   PACKAGES="numpy pandas" ./start.sh  packages in the sandbox's image
set -eu
cd "$(dirname "$0")"

fail() {
    echo "start.sh: $*" >&2
    exit 1
}

command -v docker > /dev/null || fail "docker is not installed; generated code runs nowhere else."
docker info > /dev/null 2>&1 || fail "no Docker engine answers; start Docker, then run this again."

if [ ! -x venv/bin/python ]; then
    echo "Making venv/ ..."
    "${PYTHON:-python3}" -m venv venv || fail "venv/ cannot be made; install python3-venv."
fi
wheel=$(sed -n 's|^\./\(vendor/[^[]*\).*|\1|p' requirements.txt)
if [ ! -f "$wheel" ]; then
    echo "Building $wheel ..."
    venv/bin/python -m pip wheel --quiet --no-deps --wheel-dir vendor "$(cat vendor/SOURCE)"
    [ -f "$wheel" ] || fail "$(cat vendor/SOURCE) is another version now; name it in requirements.txt."
fi
echo "Installing requirements.txt ..."
set -- --quiet --disable-pip-version-check -r requirements.txt
[ ! -f constraints.txt ] || set -- "$@" -c constraints.txt
venv/bin/python -m pip install "$@"
# What was installed first is what everybody gets from then on, the images of deploy/ included.
[ -f constraints.txt ] ||
    venv/bin/python -m pip freeze --disable-pip-version-check --exclude autogen-next > constraints.txt

# Keys go into .env: nobody else on this machine reads it.
[ -f .env ] || (umask 077 && cp .env.example .env)
# Folders that compose shows to workers; made by the engine, they would be root's.
mkdir -p work_dir .cache/tmp

image=${SANDBOX_IMAGE:-autogen-blueprint-sandbox}
echo "Building the sandbox, $image ..."
set -- --quiet --tag "$image" --build-arg "PACKAGES=${PACKAGES:-}"
[ -z "${BASE:-}" ] || set -- "$@" --build-arg "BASE=$BASE"
docker build "$@" - < Dockerfile > /dev/null || fail "the image of the sandbox cannot be built."

grep -q '^OPENAI_API_KEY=.' .env || [ -n "${OPENAI_API_KEY:-}" ] ||
    echo "Put your OPENAI_API_KEY into .env."
echo "Ready. Next:  source venv/bin/activate && python test_autogen.py"
