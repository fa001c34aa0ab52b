import Hashing
import NIOCore
import OCI

/// Bytes that a registry serves, with their digest.
///
/// Held as one block that repeats until `count`, so that a blob of a gigabyte costs a megabyte. The block of a generated
/// blob has a prime length: bytes served from a wrong offset differ, whatever power of two they are off by.
package struct Content: Sendable {
    package let digest: Digest
    package let count: Int
    private let block: ByteBuffer

    package init(_ bytes: some Sequence<UInt8>) {
        self.init(block: ByteBuffer(bytes: bytes), count: nil)
    }

    package init(_ text: String) {
        self.init(block: ByteBuffer(string: text), count: nil)
    }

    /// Incompressible content of any length, generated as it is sent.
    package init(seed: UInt64, count: Int) {
        var random = SeededRandom(seed: seed)
        self.init(block: ByteBuffer(bytes: random.bytes(min(count, 1_048_573))), count: count)
    }

    private init(block: ByteBuffer, count: Int?) {
        self.block = block
        self.count = count ?? block.readableBytes
        digest = Self.sha256(of: block, repeatedTo: self.count)
    }

    /// The next bytes from `offset` on: at least one and at most `limit`, without copying.
    package func slice(at offset: Int, limit: Int) -> ByteBuffer {
        precondition(offset < count && limit > 0)
        let start = offset % block.readableBytes
        let length = min(limit, block.readableBytes - start, count - offset)
        return block.getSlice(at: start, length: length) ?? ByteBuffer()
    }

    /// The bytes of a range, copied.
    package subscript(range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        while bytes.count < range.count {
            let next = slice(at: range.lowerBound + bytes.count, limit: range.count - bytes.count)
            bytes.append(contentsOf: next.readableBytesView)
        }
        return bytes
    }

    package var bytes: [UInt8] { self[0..<count] }

    /// The digest of any bytes, for what tests received.
    package static func digest(of bytes: [UInt8]) -> Digest {
        sha256(of: ByteBuffer(bytes: bytes), repeatedTo: bytes.count)
    }

    private static func sha256(of block: ByteBuffer, repeatedTo count: Int) -> Digest {
        let bytes = Array(block.readableBytesView)
        var hasher = ContentHasher(.sha256)
        var left = count
        while left > 0 {
            hasher.update(bytes.span.extracting(first: left))
            left -= bytes.count
        }
        let hash = hasher.finalize()
        guard let digest = Digest(algorithm: .sha256, bytes: hash.span) else { fatalError("not a SHA-256") }
        return digest
    }
}

extension Content: CustomStringConvertible {
    package var description: String { "\(digest) (\(count) B)" }
}
