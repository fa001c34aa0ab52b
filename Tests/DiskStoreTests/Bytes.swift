import Glibc
import MirrorCore
import Testing

/// All bytes of a file of a store, as a reader gets them.
func contents(_ file: (any StoredFile)?) throws -> [UInt8] {
    let file = try #require(file)
    var bytes = [UInt8](repeating: 0, count: file.size + 1)
    let count = pread(file.descriptor, &bytes, bytes.count, 0)
    try #require(count >= 0)
    return Array(bytes[..<count])
}

extension Spool {
    /// For literals and slices, whose spans do not outlive the expression.
    func append(_ bytes: some Sequence<UInt8>) throws(StoreError) {
        let bytes = Array(bytes)
        try append(bytes.span)
    }
}
