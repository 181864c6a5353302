#!/bin/sh
# venv.sh NAME...: a Python environment .cache/venv/NAME from requirements/NAME.txt (all versions pinned).
# mlx-lm, llama.cpp and the tests each have their own: their dependencies disagree now and then.
. "$(dirname "$0")/lib.sh"

python=${PYTHON:-python3}
for name; do
    dir=$cache/venv/$name
    requirements=$setup/requirements/$name.txt
    # The interpreter belongs to the pin: an environment does not survive its Python.
    pin="$("$python" -c 'import sys; print(sys.version.split()[0], sys.base_prefix)') $(cksum < "$requirements")"
    up_to_date "$dir" "$pin" && continue
    start_afresh "$dir" "Python environment '$name'"
    "$python" -m venv "$dir"
    "$dir/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    stamp "$dir" "$pin"
done
