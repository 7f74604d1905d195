#!/bin/sh
# One virtual environment per peer: their pins conflict with each other and with ours.
# Usage: make_environments.sh [FOLDER]   (default: peers/ beside this checkout; set PYTHON to choose the interpreter)
# A peer that cannot be installed is reported and left out; the report then says so.
set -u
folder=${1:-"$(cd "$(dirname "$0")/../../.." && pwd)/../peers"}
repository=$(cd "$(dirname "$0")/../../.." && pwd)
python=${PYTHON:-python3}
mkdir -p "$folder"
constraints=$folder/constraints.txt
printf 'torch==2.13.0\n' >"$constraints"  # without this pin, pip may fetch gigabytes of CUDA

install() {  # install NAME REQUIREMENT...
    name=$1
    shift
    [ -x "$folder/$name/bin/python" ] || "$python" -m venv "$folder/$name"
    if "$folder/$name/bin/python" -m pip install --quiet --constraint "$constraints" torch==2.13.0 "$@" &&
        "$folder/$name/bin/python" -m pip install --quiet pydantic jaxtyping safetensors &&
        "$folder/$name/bin/python" -m pip install --quiet --no-deps -e "$repository"; then  # old peers pin old numpy
        echo "$name: installed"
    else
        echo "$name: FAILED" >&2
    fi
}

install transformer_lens transformer-lens==4.3.0
install pyvene pyvene==0.1.8
install nnsight nnsight==0.8.1
install auto_circuit auto-circuit==1.0.1 transformer-lens==2.18.0 'pyarrow<22'  # the last line with the HookedTransformer it needs
