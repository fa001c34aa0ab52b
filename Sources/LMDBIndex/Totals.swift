import MirrorCore

/// The counts that are kept beside the tables, so that nobody has to walk them.
struct Totals: Hashable, Record {
    var manifests = 0
    var blobs = 0
    var blobBytes = 0
    /// The number of repositories, and so the next one's number.
    var repositories: UInt32 = 0

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
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        writer.append(UInt64(manifests))
        writer.append(UInt64(blobs))
        writer.append(UInt64(blobBytes))
        writer.append(repositories)
        return writer.bytes
    }

    var stored: StoredTotals { StoredTotals(manifests: manifests, blobs: blobs, blobBytes: blobBytes) }

    mutating func replaceManifest(wasStored: Bool, isStored: Bool) {
        manifests = max(0, manifests + (isStored ? 1 : 0) - (wasStored ? 1 : 0))
    }

    mutating func replaceBlob(oldSize: Int?, newSize: Int?) {
        blobs = max(0, blobs + (newSize == nil ? 0 : 1) - (oldSize == nil ? 0 : 1))
        blobBytes = max(0, blobBytes + (newSize ?? 0) - (oldSize ?? 0))
    }
}
