// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// Tests may use pointers freely, and need not declare imports as `internal`.
let relaxed: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Swift's runtime linked into the binary: calls into it take a tenth of a hit less, and it runs where no Swift is installed.
///
/// Here rather than as `--static-swift-stdlib`, so that every release build is the one that is measured. The libraries by
/// name are those that the static Foundation needs, and that only that option would name.
let staticRuntime = [
    "-static-stdlib", "-lCoreFoundation", "-l_FoundationICU", "-l_FoundationCShims", "-l_FoundationCollections",
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "tidepool",
    products: [.executable(name: "tidepool", targets: ["tidepool"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // C libraries: module maps, and what Swift cannot import.
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "CPosix"),

        // One wrapper for each.
        .target(name: "Locking"),
        .target(name: "Posix", dependencies: ["CPosix", "Locking"]),
        .target(name: "Curl", dependencies: ["CCurl", "Locking", "Posix"]),
        .target(name: "LMDB", dependencies: ["CLMDB"]),
        .target(name: "Hashing", dependencies: ["CCrypto"]),
        .target(name: "YAMLReading", dependencies: [yams]),

        // The product: what pull-through means, over ports.
        .target(name: "OCI"),
        .target(name: "MirrorCore", dependencies: ["OCI", "Locking", logging]),

        // Adapters. They never see each other.
        .target(
            name: "UpstreamHTTP",
            dependencies: [
                "MirrorCore", "OCI", "Curl", "Hashing", "Locking", logging, subprocess, systemPackage,
            ]
        ),
        .target(name: "DiskStore", dependencies: ["MirrorCore", "OCI", "Posix", "Hashing", "Locking", logging]),
        .target(name: "LMDBIndex", dependencies: ["MirrorCore", "OCI", "LMDB", "Posix", "Locking", logging]),
        .target(
            name: "RegistryHTTP",
            dependencies: ["MirrorCore", "OCI", "Posix", "Locking", logging, nioCore, nioPosix, nioHTTP1, nioSSL]
        ),
        .target(name: "Settings", dependencies: ["OCI", "YAMLReading"]),
        .target(name: "Ocync", dependencies: ["OCI", "YAMLReading"]),
        .target(name: "Prewarm", dependencies: ["MirrorCore", "OCI", "Ocync", "Locking"]),

        // The composition root: the only target that knows all.
        .executableTarget(
            name: "tidepool",
            dependencies: [
                "MirrorCore", "OCI", "UpstreamHTTP", "DiskStore", "LMDBIndex", "RegistryHTTP", "Settings", "Ocync",
                "Prewarm", "YAMLReading", "Curl", "LMDB", "Hashing", "Posix", "Locking", logging, argumentParser,
            ],
            linkerSettings: [.unsafeFlags(staticRuntime, .when(configuration: .release))]
        ),

        // Tests.
        .target(
            name: "MirrorTesting",
            dependencies: ["MirrorCore", "OCI", "Locking", "Posix", "Hashing", nioCore, nioPosix, nioHTTP1],
            path: "Tests/Support",
            exclude: ["README.md"]
        ),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "tidepool", "MirrorCore", "OCI", "Ocync", "Prewarm", "RegistryHTTP", "Settings", "YAMLReading",
                argumentParser,
            ]
        ),
        .testTarget(name: "ImportGraphTests"),
        .testTarget(name: "OCITests", dependencies: ["OCI"]),
        .testTarget(name: "SettingsTests", dependencies: ["MirrorCore", "Settings", "OCI", "YAMLReading", yams]),
        .testTarget(name: "YAMLReadingTests", dependencies: ["YAMLReading"]),
        .testTarget(name: "OcyncTests", dependencies: ["Ocync", "OCI", "YAMLReading"], exclude: ["Fixtures"]),
        .testTarget(
            name: "PrewarmTests",
            dependencies: ["Prewarm", "Ocync", "MirrorCore", "MirrorTesting", "OCI", "Locking"]
        ),
        .testTarget(name: "HashingTests", dependencies: ["Hashing"]),
        .testTarget(name: "PosixTests", dependencies: ["Posix", "MirrorTesting"]),
        .testTarget(name: "LMDBTests", dependencies: ["LMDB", "MirrorTesting"]),
        .testTarget(
            name: "DiskStoreTests",
            dependencies: ["DiskStore", "MirrorCore", "MirrorTesting", "OCI", "Posix", "Locking", logging]
        ),
        .testTarget(
            name: "LMDBIndexTests",
            dependencies: ["LMDBIndex", "LMDB", "MirrorCore", "MirrorTesting", "OCI", "Posix", "Locking", logging]
        ),
        .target(name: "HTTPTesting", dependencies: ["Locking", "Posix"], path: "Tests/HTTPTesting"),
        .testTarget(name: "CurlTests", dependencies: ["Curl", "HTTPTesting", "Locking", "Posix"]),
        .testTarget(
            name: "UpstreamHTTPTests",
            dependencies: ["UpstreamHTTP", "HTTPTesting", "MirrorCore", "OCI", "Curl", "Locking", logging]
        ),
        .testTarget(
            name: "RegistryHTTPTests",
            dependencies: ["RegistryHTTP", "MirrorCore", "OCI", "Locking", "Posix", logging, nioCore, nioPosix, nioSSL]
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["MirrorTesting", "OCI", "Locking", "tidepool", nioCore, nioHTTP1]
        ),
        .testTarget(
            name: "MirrorCoreTests",
            dependencies: ["MirrorCore", "MirrorTesting", "OCI", "Locking", "Hashing"]
        ),
    ],
    swiftLanguageModes: [.v6]
)

// What is measured from inside: `BENCH=1 swift build -c release --product index-bench`, and `micro-bench`.
if Context.environment["BENCH"] != nil {
    package.products += [
        .executable(name: "index-bench", targets: ["IndexBench"]),
        .executable(name: "micro-bench", targets: ["MicroBench"]),
    ]
    package.targets += [
        .executableTarget(
            name: "IndexBench",
            dependencies: ["LMDBIndex", "MirrorCore", "OCI", logging],
            path: "bench/IndexBench"
        ),
        .executableTarget(
            name: "MicroBench",
            dependencies: ["Hashing", "LMDBIndex", "MirrorCore", "OCI", "RegistryHTTP", logging, nioCore, nioHTTP1],
            path: "bench/MicroBench",
            // As what it speaks for.
            linkerSettings: [.unsafeFlags(staticRuntime, .when(configuration: .release))]
        ),
    ]
}

for target in package.targets {
    let isTestCode = target.type == .test || ["Tests/", "bench/"].contains { target.path?.hasPrefix($0) == true }
    switch target.type {
    case .system: break
    default: target.swiftSettings = isTestCode ? relaxed : strict
    }
}
