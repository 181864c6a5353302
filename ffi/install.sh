#!/bin/sh
# install.sh install|uninstall BUILD: what `make install` and `make uninstall` do. BUILD is the folder with the libraries.
# Takes PREFIX, LIBDIR, INCLUDEDIR and DESTDIR from the environment, as packagers expect it.
set -eu
verb=$1 build=$2
root=$(cd "$(dirname "$0")/.." && pwd)
prefix=${PREFIX:-/usr/local}
case $prefix in
    /*) ;;
    *) prefix=$(pwd)/$prefix ;; # the pkg-config files need a whole path
esac
libdir=${LIBDIR:-$prefix/lib}
includedir=${INCLUDEDIR:-$prefix/include}

# Spaces are fine; the rest means something in a pkg-config file, and has no form there that every reader knows.
for path in "PREFIX $prefix" "LIBDIR $libdir" "INCLUDEDIR $includedir"; do
    case ${path#* } in
        *[\\\$\"\'\`\#]* | *'
'* | *'	'*)
            echo "install.sh: ${path%% *} is \"${path#* }\": a pkg-config file cannot tell of a path with \\ \$ \" ' \` # or a" \
                "tab or line break in it; take another" >&2
            exit 1
            ;;
    esac
done

lib=${DESTDIR:-}$libdir
include=${DESTDIR:-}$includedir/anyclaude

version=$(sed -n 's/^#define ANYCLAUDE_VERSION "\(.*\)"/\1/p' "$root/include/anyclaude.h")
abi=$(sed -n 's/^#define ANYCLAUDE_ABI_VERSION //p' "$root/include/anyclaude.h")
# As `rustc --print native-static-libs` names them.
case "$(uname -s)" in
    Darwin) shared=libanyclaude.dylib named=libanyclaude.$abi.dylib native="-framework CoreFoundation -framework Security -liconv -lm" ;;
    *) shared=libanyclaude.so named=libanyclaude.so.$abi native="-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc" ;;
esac

if [ "$verb" = uninstall ]; then
    rm -f "$lib/$shared" "$lib/$named" "$lib/libanyclaude.a" "$lib/pkgconfig/anyclaude.pc" "$lib/pkgconfig/anyclaude-static.pc"
    rm -rf "$include"
    exit
fi

install -d "$lib/pkgconfig" "$include/CAnyclaude"
install -m 755 "$build/$shared" "$lib/$named"
ln -sf "$named" "$lib/$shared"
"$root/ffi/archive.sh" "$build/libanyclaude.a" "$lib/libanyclaude.a"
chmod 644 "$lib/libanyclaude.a"
install -m 644 "$root/include/anyclaude.h" "$include"
install -m 644 "$root/include/CAnyclaude/module.modulemap" "$include/CAnyclaude"
# A path as a pkg-config file has it, as the replacement of a sed command.
path() {
    printf '%s\n' "$1" | sed -e 's/ /\\ /g' -e 's/[\\&|]/\\&/g'
}
for name in anyclaude anyclaude-static; do
    sed -e "s|@PREFIX@|$(path "$prefix")|" -e "s|@LIBDIR@|$(path "$libdir")|" -e "s|@INCLUDEDIR@|$(path "$includedir")|" \
        -e "s|@VERSION@|$version|" -e "s|@NATIVE@|$native|" "$root/ffi/$name.pc.in" > "$lib/pkgconfig/$name.pc"
done
