import MirrorCore
import OCI

/// Where things are in a data directory.
///
/// Nothing from outside reaches a path but a valid digest: its algorithm's name and its hex digits.
struct Layout: Hashable, Sendable {
    let root: String

    var spools: String { "\(root)/spool" }

    /// What is there from the start; the shards below come as they are needed.
    var fixedDirectories: [String] {
        let kinds = ContentKind.allCases.flatMap { kind in
            Digest.Algorithm.allCases.map { "\(contents(kind))/\($0.rawValue)" }
        }
        return [spools] + kinds
    }

    /// The directory that content of a kind is under.
    func contents(_ kind: ContentKind) -> String {
        switch kind {
        case .blob: "\(root)/blobs"
        case .manifest: "\(root)/manifests"
        }
    }

    /// `blobs/sha256/2c`: 256 directories, so that none becomes very large.
    func shard(of digest: Digest, _ kind: ContentKind) -> String {
        "\(contents(kind))/\(digest.algorithm.rawValue)/\(digest.hex.prefix(2))"
    }

    /// `blobs/sha256/2c/2cf24d…`.
    func path(of digest: Digest, _ kind: ContentKind) -> String {
        let hex = digest.hex
        return "\(contents(kind))/\(digest.algorithm.rawValue)/\(hex.prefix(2))/\(hex)"
    }

    /// A new name in the spool directory: the digest says what it is to become, the random part keeps two attempts apart.
    func newSpool(for digest: Digest) -> String {
        let attempt = String(UInt64.random(in: .min ... .max), radix: 16)
        return "\(spools)/\(digest.algorithm.rawValue)-\(digest.hex)-\(attempt)"
    }
}
