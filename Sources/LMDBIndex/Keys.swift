import MirrorCore
import OCI

/// The keys of the tables.
///
/// A repository stands in keys as its number, in big-endian order, so that all of a repository's entries are neighbours. LMDB
/// takes keys of at most 511 bytes; the longest here are a repository's text (a host and a name of at most 255 bytes) and
/// a reference (two digests, 130 bytes).
enum Key {
    static func repository(_ repository: Repository) -> [UInt8] {
        // A host has no NUL, so no two repositories have one key.
        Array(repository.upstream.text.utf8) + [0] + Array(repository.name.text.utf8)
    }

    static func tag(_ tag: Tag, _ repository: UInt32) -> [UInt8] {
        numbered(repository) + Array(tag.text.utf8)
    }

    static func member(_ digest: Digest, _ kind: ContentKind, _ repository: UInt32) -> [UInt8] {
        var key = numbered(repository)
        key.append(kind.rawValue)
        key.append(digest)
        return key
    }

    /// The same for a digest as it stands in another key.
    static func member(encoded digest: [UInt8], _ kind: ContentKind, _ repository: UInt32) -> [UInt8] {
        numbered(repository) + [kind.rawValue] + digest
    }

    static func content(_ digest: Digest) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(1 + digest.algorithm.byteCount)
        key.append(digest)
        return key
    }

    /// Child before parent: what is asked is who references a given digest.
    static func reference(to child: Digest, from parent: Digest) -> [UInt8] {
        var key = content(child)
        key.append(parent)
        return key
    }

    static func list(_ list: ListKey, _ repository: UInt32) -> [UInt8] {
        var key = numbered(repository)
        switch list {
        case .tags: key.append(0)
        case .referrers(let digest):
            key.append(1)
            key.append(digest)
        }
        return key
    }

    static func quota(_ account: QuotaAccount) -> [UInt8] {
        Array(account.upstream.text.utf8) + [0] + Array(account.account.utf8)
    }

    /// The account that a key of the ledger stands for.
    ///
    /// Fails for bytes that are no such key.
    static func account(of key: Span<UInt8>) -> QuotaAccount? {
        let bytes = [UInt8](copying: key)
        guard let end = bytes.firstIndex(of: 0),
            let upstream = String(validating: bytes[..<end], as: UTF8.self),
            let account = String(validating: bytes[(end + 1)...], as: UTF8.self)
        else { return nil }
        return QuotaAccount(upstream: UpstreamName(upstream), account: account)
    }

    static let schema = Array("schema".utf8)
    static let totals = Array("totals".utf8)

    static func numbered(_ repository: UInt32) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(4 + 1 + 65)
        key.append(bigEndian: repository)
        return key
    }
}
