import MirrorCore

/// The counts that are kept beside the tables, so that nobody has to walk them.
struct Totals: Hashable, Record {
    var manifests = 0
    var blobs = 0
    var blobBytes = 0
    /// The number of repositories, and so the next one's number.
    var repositories: UInt32 = 0
    /// Missing in what versions before it wrote: then all is to be counted (see `Census`).
    var manifestBytes: Int? = 0

    init() {}

    init?(record: Span<UInt8>) {
        guard var reader = RecordReader(record),
            let manifests = reader.size(in: record),
            let blobs = reader.size(in: record),
            let blobBytes = reader.size(in: record),
            let repositories = reader.integer(UInt32.self, in: record)
        else { return nil }
        self.manifests = manifests
        self.blobs = blobs
        self.blobBytes = blobBytes
        self.repositories = repositories
        manifestBytes = reader.size(in: record)
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        writer.append(UInt64(manifests))
        writer.append(UInt64(blobs))
        writer.append(UInt64(blobBytes))
        writer.append(repositories)
        if let manifestBytes { writer.append(UInt64(manifestBytes)) }
        return writer.bytes
    }

    var stored: StoredTotals {
        StoredTotals(manifests: manifests, blobs: blobs, blobBytes: blobBytes, manifestBytes: manifestBytes ?? 0)
    }

    /// One object of a kind has another size: `nil` is not stored.
    mutating func replace(_ kind: ContentKind, oldSize: Int?, newSize: Int?) {
        let count = (newSize == nil ? 0 : 1) - (oldSize == nil ? 0 : 1)
        let bytes = (newSize ?? 0) - (oldSize ?? 0)
        switch kind {
        case .manifest:
            manifests = max(0, manifests + count)
            manifestBytes = manifestBytes.map { max(0, $0 + bytes) }
        case .blob:
            blobs = max(0, blobs + count)
            blobBytes = max(0, blobBytes + bytes)
        }
    }
}
