#!/bin/sh
# The npm packages of the tests (a client, a type checker): .cache/npm/node_modules, exactly as the lock file says.
. "$(dirname "$0")/lib.sh"

dir=$cache/npm
pin=$(cat "$setup/npm/package.json" "$setup/npm/package-lock.json" | cksum)
up_to_date "$dir" "$pin" && exit 0
start_afresh "$dir" "the npm SDK and pyright"
cp "$setup/npm/package.json" "$setup/npm/package-lock.json" "$dir"
npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error --update-notifier=false
stamp "$dir" "$pin"
