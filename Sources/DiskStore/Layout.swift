import MirrorCore
import OCI

/// Where things are in a data directory.
///
/// Nothing from outside reaches a path but a valid digest: its algorithm's name and its hex digits.
struct Layout: Hashable, Sendable {
    let root: String

    var spools: String { "\(root)/spool" }
    /// Bad files that were put aside; made with the first.
    var quarantine: String { "\(root)/quarantine" }
    /// Tells during which boot of the machine the spools were written.
    var bootNote: String { "\(root)/spool.boot" }

    /// What is there from the start; the shards below come as they are needed.
    var fixedDirectories: [String] {
        let kinds = ContentKind.allCases.flatMap { kind in
            Digest.Algorithm.allCases.map { contents(kind, $0) }
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

    /// `blobs/sha256`.
    func contents(_ kind: ContentKind, _ algorithm: Digest.Algorithm) -> String {
        "\(contents(kind))/\(algorithm.rawValue)"
    }

    /// `blobs/sha256/2c`: 256 directories, so that none becomes very large.
    func shard(of digest: Digest, _ kind: ContentKind) -> String {
        "\(contents(kind, digest.algorithm))/\(digest.hex.prefix(2))"
    }

    /// `blobs/sha256/2c/2cf24d…`.
    func path(of digest: Digest, _ kind: ContentKind) -> String {
        let hex = digest.hex
        return "\(contents(kind, digest.algorithm))/\(hex.prefix(2))/\(hex)"
    }

    func path(of spool: SpoolName) -> String { "\(spools)/\(spool.text)" }

    /// The note beside a spool.
    func notePath(of spool: SpoolName) -> String { "\(spools)/\(spool.text)\(SpoolName.noteSuffix)" }

    /// A new name for bytes that are being stored at once; no spool has such a name, so the next start removes what is left.
    func newTemporary() -> String { "\(spools)/new-\(String(UInt64.random(in: .min ... .max), radix: 16))" }
}

/// The name of a spool's file: `sha256-<hex>-<attempt>`.
///
/// The digest says what it is to become; the random attempt keeps two spools of one digest apart, as after a mismatch.
struct SpoolName: Hashable, Sendable {
    let digest: Digest
    private let attempt: UInt64

    static let noteSuffix = ".note"

    /// A new name.
    init(for digest: Digest) {
        self.digest = digest
        attempt = .random(in: .min ... .max)
    }

    /// Reads a name; only what ``text`` gives is one.
    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3,
            let digest = try? Digest("\(parts[0]):\(parts[1])"),
            let attempt = UInt64(parts[2], radix: 16)
        else { return nil }
        self.digest = digest
        self.attempt = attempt
        guard self.text == text else { return nil }
    }

    var text: String { "\(digest.algorithm.rawValue)-\(digest.hex)-\(String(attempt, radix: 16))" }
}
