#!/bin/sh
# venv.sh NAME...: a Python environment .cache/venv/NAME from requirements/NAME.txt (all versions pinned).
# mlx-lm, llama.cpp and the tests each have their own: their dependencies disagree now and then.
# What requirements/NAME.no-deps.txt lists comes after that, without the dependencies it declares.
. "$(dirname "$0")/lib.sh"

python=${PYTHON:-python3}
for name; do
    dir=$cache/venv/$name
    requirements=$setup/requirements/$name.txt
    # The interpreter belongs to the pin: an environment does not survive its Python.
    pin="$("$python" -c 'import sys; print(sys.version.split()[0], sys.base_prefix)') $(cksum < "$requirements")"
    alone=$setup/requirements/$name.no-deps.txt
    if [ -f "$alone" ]; then pin="$pin $(cksum < "$alone")"; fi
    up_to_date "$dir" "$pin" && continue
    start_afresh "$dir" "Python environment '$name'"
    "$python" -m venv "$dir"
    "$dir/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    if [ -f "$alone" ]; then
        "$dir/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$alone"
    fi
    stamp "$dir" "$pin"
done
