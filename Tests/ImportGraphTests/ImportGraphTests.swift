import Foundation
import Testing

@Suite("The structure of the sources")
struct ImportGraphTests {
    /// What each target may import: its own kind of work, and what stands below it.
    ///
    /// SwiftPM checks this against `Package.swift`; this table is what `Package.swift` is held to. A line that has to
    /// grow is a decision, to be argued for in the commit that makes it.
    private static let allowed: [String: Set<String>] = [
        // One C library each.
        "Locking": ["Glibc"],
        "Posix": ["CPosix", "Glibc", "Locking"],
        "Curl": ["CCurl", "Glibc", "Locking", "Posix", "Synchronization"],
        "LMDB": ["CLMDB", "Glibc"],
        "Hashing": ["CCrypto"],
        // And one package.
        "YAMLReading": ["Yams"],
        // The specifications, and the product: no HTTP library, no file, no time but what is handed in.
        "OCI": ["FoundationEssentials"],
        "MirrorCore": ["FoundationEssentials", "Locking", "Logging", "OCI", "Synchronization"],
        // Adapters: never each other.
        "UpstreamHTTP": [
            "Curl", "Dispatch", "FoundationEssentials", "Hashing", "Locking", "Logging", "MirrorCore", "OCI",
            "Subprocess",
            "SystemPackage",
            "Synchronization",
        ],
        "DiskStore": [
            "FoundationEssentials", "Glibc", "Hashing", "Locking", "Logging", "MirrorCore", "OCI", "Posix",
            "Synchronization",
        ],
        "LMDBIndex": [
            "FoundationEssentials", "LMDB", "Locking", "Logging", "MirrorCore", "OCI", "Posix", "Synchronization",
        ],
        "RegistryHTTP": [
            "FoundationEssentials", "Glibc", "Locking", "Logging", "MirrorCore", "NIOCore", "NIOHTTP1", "NIOPosix",
            "NIOSSL", "OCI", "Posix", "Synchronization",
        ],
        "Settings": ["FoundationEssentials", "OCI", "YAMLReading"],
        "Ocync": ["OCI", "YAMLReading"],
        "Prewarm": ["FoundationEssentials", "Locking", "MirrorCore", "OCI", "Ocync"],
        // The composition root.
        "tidepool": [
            "ArgumentParser", "Curl", "Dispatch", "DiskStore", "Foundation", "Glibc", "Hashing", "LMDB", "LMDBIndex",
            "Locking", "Logging", "MirrorCore", "OCI", "Ocync", "Posix", "Prewarm", "RegistryHTTP", "Settings",
            "Synchronization", "UpstreamHTTP", "YAMLReading",
        ],
    ]

    /// Targets that wrap C or the system, where pointers are handled.
    private static let wrappers: Set = ["CPosix", "Curl", "Hashing", "LMDB", "Locking", "Posix"]

    /// Packages of others; `Logging` is everybody's.
    private static let thirdParty: Set = [
        "ArgumentParser", "CCrypto", "CCurl", "CLMDB", "CPosix", "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL",
        "Subprocess", "SystemPackage", "Yams",
    ]

    private let sources: SourceTree

    init() throws {
        sources = try SourceTree("Sources")
        try #require(!sources.files.isEmpty)
    }

    @Test("a target imports only what stands below it")
    func allowedImports() {
        for (target, modules) in sources.imports {
            guard let allowed = Self.allowed[target] else {
                Issue.record("target \(target) is not in the table")
                continue
            }
            let excess = modules.subtracting(allowed).sorted()
            #expect(excess.isEmpty, "\(target) imports \(excess.joined(separator: ", "))")
        }
    }

    @Test("the table itself only points downwards")
    func acyclic() {
        var remaining = Self.allowed
        while let leaf = remaining.first(where: { $0.value.isDisjoint(with: remaining.keys) })?.key {
            remaining[leaf] = nil
        }
        #expect(remaining.isEmpty, "these import each other: \(remaining.keys.sorted())")
    }

    @Test("each C library and each package of others is imported by one target only")
    func oneImporter() {
        for module in Self.thirdParty {
            let importers = sources.imports.filter { $0.value.contains(module) }.keys.sorted()
            #expect(importers.count <= 1, "\(module) is imported by \(importers.joined(separator: ", "))")
        }
    }

    @Test("pointers stay in the wrapper targets")
    func unsafeCode() {
        for file in sources.files where !Self.wrappers.contains(file.target) {
            for (index, line) in file.lines.enumerated() {
                let code = SourceTree.code(line).replacing("nonisolated(unsafe)", with: "")
                let isUnsafe = code.contains(#/\bunsafe\b|\bUnsafe(Mutable)?(Raw)?(Buffer)?Pointer\b/#)
                #expect(!isUnsafe, "\(file.path):\(index + 1) has unsafe code")
            }
        }
    }

    @Test("what the compiler cannot check has a reason beside it")
    func uncheckedClaims() {
        for file in sources.files {
            for (index, line) in file.lines.enumerated() {
                let code = SourceTree.code(line)
                guard code.contains("@unchecked") || code.contains("nonisolated(unsafe)") else { continue }
                let surroundings = file.lines[max(0, index - 6)...index]
                #expect(surroundings.contains { $0.contains("//") }, "\(file.path):\(index + 1) gives no reason")
            }
        }
    }

    @Test("no file has more than 400 lines", arguments: ["Sources", "Tests"])
    func fileSizes(folder: String) throws {
        for file in try SourceTree(folder).files {
            #expect(file.lines.count <= 401, "\(file.path) has \(file.lines.count - 1) lines")
        }
    }

    @Test(
        "import lines are read in all their forms",
        arguments: [
            ("import OCI", "OCI"), ("package import OCI", "OCI"), ("@preconcurrency import NIOCore", "NIOCore"),
            ("@testable import Settings", "Settings"), ("import struct Foundation.URL", "Foundation"),
        ]
    )
    func importLines(line: String, module: String) {
        #expect(SourceTree.importedModule(line) == module)
    }

    @Test("other lines are no imports", arguments: ["// import OCI", "let important = 1", "", "package struct X {"])
    func otherLines(line: String) {
        #expect(SourceTree.importedModule(line) == nil)
    }
}
