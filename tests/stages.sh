#!/usr/bin/env bash
# stages.sh STAGE...: run each make target in turn, go on after a failure, end with a table of times.
set -uo pipefail

table=
failed=0
SECONDS=0
for stage; do
    printf '\n==== %s\n' "$stage"
    start=$SECONDS
    if "${MAKE:-make}" "$stage"; then
        verdict=ok
    else
        verdict=FAILED
        failed=$((failed + 1))
    fi
    took=$((SECONDS - start))
    table+=$(printf '  %-12s %3d:%02d  %s' "$stage" $((took / 60)) $((took % 60)) "$verdict")$'\n'
    # Without its tools nothing that follows can say anything.
    if [ "$stage" = setup ] && [ "$verdict" = FAILED ]; then break; fi
done

printf '\n==== time per stage (min:s)\n%s  %-12s %3d:%02d\n' "$table" total $((SECONDS / 60)) $((SECONDS % 60))
printf '%d stages failed\n' "$failed"
exit $((failed > 0))
