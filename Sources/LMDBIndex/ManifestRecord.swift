/// That a manifest is stored, and the bytes of a small one.
///
/// Its reader hands out the bytes in place, so it is no ``Record``: those are values of their own.
enum ManifestRecord {
    /// Larger ones are read from their file: they would make the map large, and are rare (an index is 2 to 10 KiB).
    static let largestKept = 32 << 10

    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var writer = RecordWriter()
        writer.append(UInt64(bytes.count))
        if bytes.count <= largestKept { writer.append(rest: bytes) }
        return writer.bytes
    }

    /// The manifest's size, and where in the record its bytes begin, if they are there.
    ///
    /// Fails for a record whose bytes are cut or too many.
    static func decode(_ record: Span<UInt8>) -> (size: Int, start: Int?)? {
        guard var reader = RecordReader(record), let size = reader.size(in: record) else { return nil }
        let kept = record.count - reader.position
        guard size <= largestKept else { return kept == 0 ? (size, nil) : nil }
        return kept == size ? (size, reader.position) : nil
    }
}
