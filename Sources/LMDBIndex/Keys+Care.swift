import MirrorCore
import OCI

// The keys of recency, uses and pins, and the way back from keys to what they name.

/// A place in the order of use: the higher, the more recent.
typealias Use = UInt64

extension Key {
    static let rebuild = Array("rebuild".utf8)

    static func bookmark(_ bookmark: Bookmark) -> [UInt8] { Array("bookmark:\(bookmark.rawValue)".utf8) }

    static func use(_ digest: Digest, _ kind: ContentKind) -> [UInt8] {
        var key = [kind.rawValue]
        key.reserveCapacity(1 + 65)
        key.append(digest)
        return key
    }

    /// All with the same place (a manifest and what it references) are neighbours.
    static func recency(_ digest: Digest, _ kind: ContentKind, _ use: Use) -> [UInt8] {
        var key = [kind.rawValue]
        key.reserveCapacity(1 + 8 + 65)
        key.append(bigEndian: use)
        key.append(digest)
        return key
    }

    static func pin(_ reference: Reference, _ repository: UInt32) -> [UInt8] {
        var key = numbered(repository)
        switch reference {
        case .tag(let tag):
            key.append(0)
            key += tag.text.utf8
        case .digest(let digest):
            key.append(1)
            key.append(digest)
        }
        return key
    }
}

/// Takes a key apart; a part that is not there is `nil`.
struct KeyReader {
    private var offset: Int

    init(droppingFirst count: Int = 0) {
        offset = count
    }

    mutating func bigEndian<Value: FixedWidthInteger>(_ type: Value.Type, in key: Span<UInt8>) -> Value? {
        let size = MemoryLayout<Value>.size
        guard key.count - offset >= size else { return nil }
        defer { offset += size }
        var value: Value = 0
        for index in offset..<offset + size { value = value << 8 | Value(truncatingIfNeeded: key[index]) }
        return value
    }

    mutating func kind(in key: Span<UInt8>) -> ContentKind? {
        bigEndian(UInt8.self, in: key).flatMap(ContentKind.init)
    }

    mutating func digest(in key: Span<UInt8>) -> Digest? {
        guard let code = bigEndian(UInt8.self, in: key), let algorithm = Digest.Algorithm(code: code),
            key.count - offset >= algorithm.byteCount
        else { return nil }
        defer { offset += algorithm.byteCount }
        return Digest(algorithm: algorithm, bytes: key.extracting(offset..<offset + algorithm.byteCount))
    }

    func rest(of key: Span<UInt8>) -> String? {
        String(validating: [UInt8](copying: key.extracting(droppingFirst: offset)), as: UTF8.self)
    }
}

extension Repository {
    /// Reads ``Key/repository(_:)``.
    init?(key: Span<UInt8>) {
        guard let text = KeyReader().rest(of: key), let end = text.firstIndex(of: "\0"),
            let name = try? RepositoryName(text[text.index(after: end)...])
        else { return nil }
        self.init(upstream: UpstreamName(String(text[..<end])), name: name)
    }
}

extension Reference {
    /// Reads what follows the repository's number in ``Key/pin(_:_:)``.
    init?(pinKey key: Span<UInt8>) {
        var reader = KeyReader(droppingFirst: 4)
        switch reader.bigEndian(UInt8.self, in: key) {
        case 0:
            guard let text = reader.rest(of: key), let tag = try? Tag(text) else { return nil }
            self = .tag(tag)
        case 1:
            guard let digest = reader.digest(in: key) else { return nil }
            self = .digest(digest)
        default: return nil
        }
    }
}
