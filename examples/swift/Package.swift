// swift-tools-version:6.0
import PackageDescription

let package = Package(
    name: "Anyclaude",
    platforms: [.macOS(.v13), .iOS(.v16)],
    products: [.library(name: "Anyclaude", targets: ["Anyclaude"])],
    targets: [
        // The installed library, by pkg-config. With the XCFramework of ffi/apple instead:
        // .binaryTarget(name: "CAnyclaude", path: "CAnyclaude.xcframework")
        .systemLibrary(name: "CAnyclaude", pkgConfig: "anyclaude"),
        .target(name: "Anyclaude", dependencies: ["CAnyclaude"]),
        .executableTarget(name: "serve", dependencies: ["Anyclaude"]),
        .testTarget(name: "AnyclaudeTests", dependencies: ["Anyclaude"]),
    ]
)
