#!/bin/sh
# archive.sh FROM TO: a static library in which nothing but anyclaude_* can be seen.
#
# What Rust writes has all names of the standard library and of every dependency in it. Two such libraries do not go
# into one program, and a shared library made of one exports them all. So everything becomes one object, whose other
# names are its own. The linker still leaves out what is not used.
set -eu
from=$1 to=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case "$(uname -s)" in
    Darwin) # not tried
        ld -r -arch "$(uname -m)" -exported_symbol '_anyclaude_*' -o "$work/anyclaude.o" -all_load "$from"
        ;;
    *)
        # Without the compiler's own form of the code, which another version's `ar` may not be able to read.
        "${LD:-ld}" -r --whole-archive "$from" -o "$work/all.o"
        "${OBJCOPY:-objcopy}" --wildcard --keep-global-symbol='anyclaude_*' --strip-debug \
            --remove-section=.llvmbc --remove-section=.llvmcmd "$work/all.o" "$work/anyclaude.o"
        ;;
esac
rm -f "$to"
"${AR:-ar}" rcs "$to" "$work/anyclaude.o"
