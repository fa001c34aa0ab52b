import LMDB
import MirrorCore
import OCI

/// When a stored object was used last, and when it came.
///
/// A record of its own: a use would otherwise write the manifest's bytes again.
struct UseRecord: Hashable, Record {
    /// Where the object is in the table `recency`.
    var use: Use
    var landedAt: WallTime
    var usedAt: WallTime

    init(use: Use, landedAt: WallTime, usedAt: WallTime) {
        self.use = use
        self.landedAt = landedAt
        self.usedAt = usedAt
    }

    init?(record: Span<UInt8>) {
        guard var reader = RecordReader(record),
            let use = reader.integer(UInt64.self, in: record),
            let landedAt = reader.integer(Int64.self, in: record),
            let usedAt = reader.integer(Int64.self, in: record)
        else { return nil }
        self.init(
            use: use,
            landedAt: WallTime(milliseconds: landedAt),
            usedAt: WallTime(milliseconds: usedAt)
        )
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        writer.append(use)
        writer.append(landedAt.milliseconds)
        writer.append(usedAt.milliseconds)
        return writer.bytes
    }
}

/// That a reference is pinned, and of which repository: its key has the number only.
struct PinRecord: Hashable, Record {
    var repository: Repository
    var since: WallTime

    init(repository: Repository, since: WallTime) {
        self.repository = repository
        self.since = since
    }

    init?(record: Span<UInt8>) {
        guard var reader = RecordReader(record), let since = reader.integer(Int64.self, in: record),
            let repository = Repository(key: record.extracting(droppingFirst: reader.position))
        else { return nil }
        self.init(repository: repository, since: WallTime(milliseconds: since))
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        writer.append(since.milliseconds)
        writer.append(rest: Key.repository(repository))
        return writer.bytes
    }
}

/// One stored object, as the tables of uses know it.
struct ObjectKey: Hashable, Sendable {
    var digest: Digest
    var kind: ContentKind

    var use: [UInt8] { Key.use(digest, kind) }

    func recency(_ use: Use) -> [UInt8] { Key.recency(digest, kind, use) }
}

extension Tables {
    /// The table that says which objects of a kind are stored.
    func stored(_ kind: ContentKind) -> Table {
        switch kind {
        case .manifest: manifests
        case .blob: blobs
        }
    }
}

extension ContentKind {
    /// The size that a record of ``Tables/stored(_:)`` gives; `nil` for one that is none.
    func size(inRecord record: Span<UInt8>) -> Int? {
        switch self {
        case .manifest: ManifestRecord.decode(record)?.size
        case .blob: BlobRecord(record: record)?.size
        }
    }
}
