import MirrorCore
import OCI

// The values of the tables. Each is read by the initializer and written by `record`; both are in one place so that they are
// changed together, and `recordVersion` with them.

/// A value of a table.
///
/// The initializer fails for bytes that are no such record.
protocol Record {
    init?(record: Span<UInt8>)
    var record: [UInt8] { get }
}

extension TagRecord: Record {
    private static let goneFlag: UInt8 = 1
    private static let heldFlag: UInt8 = 2

    init?(record: Span<UInt8>) {
        guard var reader = RecordReader(record),
            let flags = reader.integer(UInt8.self, in: record),
            let checkedAt = reader.integer(Int64.self, in: record),
            let size = reader.size(in: record),
            let digest = reader.digest(in: record)
        else { return nil }
        var held: Held?
        if flags & Self.heldFlag != 0 {
            guard let heldAt = reader.integer(Int64.self, in: record), let heldDigest = reader.digest(in: record) else {
                return nil
            }
            held = Held(digest: heldDigest, checkedAt: WallTime(milliseconds: heldAt))
        }
        guard let mediaType = reader.restAsText(of: record) else { return nil }
        self.init(
            digest: digest,
            mediaType: mediaType,
            size: size,
            checkedAt: WallTime(milliseconds: checkedAt),
            isGone: flags & Self.goneFlag != 0,
            held: held
        )
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        writer.append((isGone ? Self.goneFlag : 0) | (held == nil ? 0 : Self.heldFlag))
        writer.append(checkedAt.milliseconds)
        writer.append(UInt64(size))
        writer.append(digest)
        if let held {
            writer.append(held.checkedAt.milliseconds)
            writer.append(held.digest)
        }
        writer.append(rest: mediaType.utf8)
        return writer.bytes
    }
}

extension Membership: Record {
    init?(record: Span<UInt8>) {
        guard var reader = RecordReader(record),
            let provedAt = reader.integer(Int64.self, in: record),
            let mediaType = reader.restAsText(of: record)
        else { return nil }
        self.init(mediaType: mediaType, provedAt: WallTime(milliseconds: provedAt))
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        writer.append(provedAt.milliseconds)
        writer.append(rest: mediaType.utf8)
        return writer.bytes
    }
}

extension ListRecord: Record {
    init?(record: Span<UInt8>) {
        guard var reader = RecordReader(record), let checkedAt = reader.integer(Int64.self, in: record) else {
            return nil
        }
        self.init(bytes: reader.restAsBytes(of: record), checkedAt: WallTime(milliseconds: checkedAt))
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        writer.append(checkedAt.milliseconds)
        writer.append(rest: bytes)
        return writer.bytes
    }
}

/// That a blob is stored.
struct BlobRecord: Hashable, Record {
    var size: Int
    var landedAt: WallTime

    init(size: Int, landedAt: WallTime) {
        self.size = size
        self.landedAt = landedAt
    }

    init?(record: Span<UInt8>) {
        guard var reader = RecordReader(record), let size = reader.size(in: record),
            let landedAt = reader.integer(Int64.self, in: record)
        else { return nil }
        self.init(size: size, landedAt: WallTime(milliseconds: landedAt))
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        writer.append(UInt64(size))
        writer.append(landedAt.milliseconds)
        return writer.bytes
    }
}

/// The size that a manifest (the parent, in the key) gives for what it references (the child).
struct ReferenceRecord: Hashable, Record {
    var size: Int

    init(size: Int) {
        self.size = size
    }

    init?(record: Span<UInt8>) {
        guard var reader = RecordReader(record), let size = reader.size(in: record) else { return nil }
        self.init(size: size)
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        writer.append(UInt64(size))
        return writer.bytes
    }
}

/// The number that stands for a repository in keys.
struct RepositoryRecord: Hashable, Record {
    /// What an anonymous client may see; nothing asks for it yet, so all are unknown.
    enum Visibility: UInt8 {
        case unknown = 0
        case isPublic = 1
        case isPrivate = 2
    }

    var number: UInt32
    var visibility = Visibility.unknown

    init(number: UInt32, visibility: Visibility = .unknown) {
        self.number = number
        self.visibility = visibility
    }

    init?(record: Span<UInt8>) {
        guard var reader = RecordReader(record), let number = reader.integer(UInt32.self, in: record),
            let visibility = reader.integer(UInt8.self, in: record).flatMap(Visibility.init)
        else { return nil }
        self.init(number: number, visibility: visibility)
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        writer.append(number)
        writer.append(visibility.rawValue)
        return writer.bytes
    }
}
