import Hashing
import MirrorCore
import OCI

/// Digests: their text, and what they are made of.
enum DigestCases {
    static let all = [
        MicroCase(
            name: "digest-parse",
            summary: "read a digest's text",
            count: 1000,
            prepare: { _ in parsing() }
        ),
        MicroCase(
            name: "digest-text",
            summary: "write a digest's text",
            count: 1000,
            prepare: { _ in writing() }
        ),
        MicroCase(
            name: "hash-1mib",
            summary: "hash 1 MiB with SHA-256, in pieces of 256 KiB as they are gathered from the upstream",
            count: 3,
            prepare: { _ in hashing() }
        ),
    ]

    private static let digests = (0..<64).map { Samples.digest($0, .blob) }

    private static func parsing() -> MicroCase.Operation {
        let texts = digests.map(\.description)
        return { turn in
            guard let digest = try? Digest(texts[turn % texts.count]) else { return 0 }
            return Int(digest[31])
        }
    }

    private static func writing() -> MicroCase.Operation {
        let digests = digests
        return { turn in digests[turn % digests.count].description.utf8.count }
    }

    private static func hashing() -> MicroCase.Operation {
        let piece = [UInt8](repeating: 0xa5, count: 256 << 10)
        return { _ in
            var hasher = ContentHasher(.sha256)
            for _ in 0..<4 { hasher.update(piece.span) }
            return Int(hasher.finalize()[0])
        }
    }
}
