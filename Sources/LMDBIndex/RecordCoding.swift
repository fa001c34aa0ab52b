import OCI

/// The layout of the records that this version writes; one with another first byte counts as absent.
let recordVersion: UInt8 = 1

/// Builds a record: the version byte, fixed fields in little-endian order, then at most one field of free length.
struct RecordWriter {
    private(set) var bytes: [UInt8] = [recordVersion]

    mutating func append(_ value: some FixedWidthInteger) {
        bytes.append(littleEndian: value)
    }

    /// A digest takes its algorithm's byte and then as many as that has.
    mutating func append(_ digest: Digest) {
        bytes.append(digest)
    }

    mutating func append(rest: some Sequence<UInt8>) {
        bytes.append(contentsOf: rest)
    }
}

/// Takes a record apart, field by field.
///
/// A field that is not there, or not possible, is `nil`: what is on disk is not trusted.
struct RecordReader {
    private var offset = 1

    /// Fails for a record of another version.
    init?(_ record: Span<UInt8>) {
        guard !record.isEmpty, record[0] == recordVersion else { return nil }
    }

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type, in record: Span<UInt8>) -> Value? {
        let size = MemoryLayout<Value>.size
        guard record.count - offset >= size else { return nil }
        var value: Value = 0
        for index in (0..<size).reversed() {
            value = value << 8 | Value(truncatingIfNeeded: record[offset + index])
        }
        offset += size
        return value
    }

    /// A count of bytes: never negative.
    mutating func size(in record: Span<UInt8>) -> Int? {
        integer(UInt64.self, in: record).flatMap { Int(exactly: $0) }
    }

    mutating func digest(in record: Span<UInt8>) -> Digest? {
        guard let code = integer(UInt8.self, in: record), let algorithm = Digest.Algorithm(code: code),
            record.count - offset >= algorithm.byteCount
        else { return nil }
        defer { offset += algorithm.byteCount }
        return Digest(algorithm: algorithm, bytes: record.extracting(offset..<offset + algorithm.byteCount))
    }

    /// What is left, as text; `nil` when it is not UTF-8.
    func restAsText(of record: Span<UInt8>) -> String? {
        String(validating: restAsBytes(of: record), as: UTF8.self)
    }

    func restAsBytes(of record: Span<UInt8>) -> [UInt8] {
        [UInt8](copying: record.extracting(droppingFirst: offset))
    }

    /// The number of bytes read so far.
    var position: Int { offset }
}

extension [UInt8] {
    init(copying span: Span<UInt8>) {
        self.init()
        reserveCapacity(span.count)
        for index in span.indices { append(span[index]) }
    }

    mutating func append(littleEndian value: some FixedWidthInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    /// In keys: numbers in the order of their bytes, so that LMDB sorts them as numbers.
    mutating func append(bigEndian value: some FixedWidthInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    mutating func append(_ digest: Digest) {
        append(digest.algorithm.code)
        for index in 0..<digest.algorithm.byteCount { append(digest[index]) }
    }
}

extension Digest.Algorithm {
    /// The algorithm in keys and records; on disk, so never to be renumbered.
    var code: UInt8 {
        switch self {
        case .sha256: 1
        case .sha512: 2
        }
    }

    init?(code: UInt8) {
        guard let algorithm = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = algorithm
    }
}
