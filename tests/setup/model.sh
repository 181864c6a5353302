#!/bin/sh
# The scripted tiny model, for mlx-lm (.cache/model/tiny) and llama.cpp (.cache/model/tiny/model.gguf).
. "$(dirname "$0")/lib.sh"

dir=$cache/model/tiny
sources=$(cat "$setup"/tiny_model/*.py "$setup/tiny_model/template.jinja" "$setup/requirements/mlx.txt" | cksum)
pin="$("${PYTHON:-python3}" --version) $sources"
up_to_date "$dir" "$pin" && exit 0
"$setup/venv.sh" mlx
start_afresh "$dir" "the tiny scripted model"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$setup "$cache/venv/mlx/bin/python" -m tiny_model "$dir" --gguf "$dir/model.gguf"
stamp "$dir" "$pin"
