#!/bin/sh
# xcframework.sh [OUT]: CAnyclaude.xcframework for macOS, iOS and the iOS simulator, into OUT (default: target/apple).
#
# NOT TRIED YET: written without a Mac at hand. Read a failure as one of this script first.
#
# Frameworks and not bare libraries with headers: a module map that lies flat among the headers of an XCFramework collides
# with that of any other one in the same app. Static, so that apps have nothing to embed or sign; localised, so that they
# may have other Rust in them.
# Needs Xcode, and the targets: rustup target add aarch64-apple-darwin x86_64-apple-darwin aarch64-apple-ios \
#   aarch64-apple-ios-sim x86_64-apple-ios
set -eu

[ "$(uname -s)" = Darwin ] || { echo "xcframework.sh: needs a Mac with Xcode" >&2; exit 1; }
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$root/target/apple}
version=$(sed -n 's/^#define ANYCLAUDE_VERSION "\(.*\)"/\1/p' "$root/include/anyclaude.h")
rm -rf "$out"
mkdir -p "$out"

# archive TARGET ARCH SDK: builds for one target; only anyclaude_* can be seen in what comes out.
archive() {
    cargo build --manifest-path "$root/Cargo.toml" --release -p anyclaude-ffi --target "$1" --target-dir "$out/build"
    xcrun --sdk "$3" ld -r -arch "$2" -exported_symbol '_anyclaude_*' -all_load \
        "$out/build/$1/release/libanyclaude.a" -o "$out/$1.o"
    xcrun libtool -static -o "$out/$1.a" "$out/$1.o"
}

# framework PLATFORM MINIMUM ARCHIVE...: a bundle for one platform out of one archive an architecture.
framework() {
    platform=$1 minimum=$2
    shift 2
    bundle=$out/$platform/CAnyclaude.framework
    mkdir -p "$bundle/Headers" "$bundle/Modules"
    xcrun lipo -create "$@" -output "$bundle/CAnyclaude"
    cp "$root/include/anyclaude.h" "$bundle/Headers"
    cat > "$bundle/Modules/module.modulemap" << 'MAP'
framework module CAnyclaude {
    header "anyclaude.h"
    export *
}
MAP
    cat > "$bundle/Info.plist" << PLIST
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>CFBundleExecutable</key><string>CAnyclaude</string>
    <key>CFBundleIdentifier</key><string>dev.anyclaude.CAnyclaude</string>
    <key>CFBundleInfoDictionaryVersion</key><string>6.0</string>
    <key>CFBundleName</key><string>CAnyclaude</string>
    <key>CFBundlePackageType</key><string>FMWK</string>
    <key>CFBundleShortVersionString</key><string>$version</string>
    <key>CFBundleVersion</key><string>$version</string>
    <key>CFBundleSupportedPlatforms</key><array><string>$platform</string></array>
    <key>MinimumOSVersion</key><string>$minimum</string>
</dict>
</plist>
PLIST
    # On macOS a framework has versions, and links to the one in use.
    if [ "$platform" = MacOSX ]; then
        mkdir -p "$bundle/Versions/A/Resources"
        mv "$bundle/Headers" "$bundle/Modules" "$bundle/CAnyclaude" "$bundle/Versions/A"
        mv "$bundle/Info.plist" "$bundle/Versions/A/Resources"
        ln -s A "$bundle/Versions/Current"
        for part in Headers Modules Resources CAnyclaude; do ln -s "Versions/Current/$part" "$bundle/$part"; done
    fi
}

export MACOSX_DEPLOYMENT_TARGET=13.0 IPHONEOS_DEPLOYMENT_TARGET=16.0
archive aarch64-apple-darwin arm64 macosx
archive x86_64-apple-darwin x86_64 macosx
archive aarch64-apple-ios arm64 iphoneos
archive aarch64-apple-ios-sim arm64 iphonesimulator
archive x86_64-apple-ios x86_64 iphonesimulator
framework MacOSX "$MACOSX_DEPLOYMENT_TARGET" "$out/aarch64-apple-darwin.a" "$out/x86_64-apple-darwin.a"
framework iPhoneOS "$IPHONEOS_DEPLOYMENT_TARGET" "$out/aarch64-apple-ios.a"
framework iPhoneSimulator "$IPHONEOS_DEPLOYMENT_TARGET" "$out/aarch64-apple-ios-sim.a" "$out/x86_64-apple-ios.a"
xcodebuild -create-xcframework \
    -framework "$out/MacOSX/CAnyclaude.framework" \
    -framework "$out/iPhoneOS/CAnyclaude.framework" \
    -framework "$out/iPhoneSimulator/CAnyclaude.framework" \
    -output "$out/CAnyclaude.xcframework"
