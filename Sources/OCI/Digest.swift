/// A content identifier: an algorithm and the hash it gives.
///
/// `sha256` and `sha512` are the registered algorithms of the OCI image specification ("Digests");
/// others are refused. A digest is valid by construction, and needs no allocation.
package struct Digest: Sendable {
    /// A registered hash algorithm.
    package enum Algorithm: String, CaseIterable, Sendable {
        case sha256
        case sha512

        /// The length of the hash, in bytes.
        package var byteCount: Int {
            switch self {
            case .sha256: 32
            case .sha512: 64
            }
        }
    }

    package let algorithm: Algorithm
    /// The hash, eight bytes a word, the first byte lowest; what is past ``Algorithm/byteCount`` is zero.
    ///
    /// Not a SIMD vector: its alignment of 64 is more than an asynchronous frame gives (Swift 6.3 overwrites memory then).
    private var words = InlineArray<8, UInt64>(repeating: 0)

    /// Takes a hash as the algorithm gives it.
    ///
    /// Fails when the number of bytes is not the algorithm's.
    package init?(algorithm: Algorithm, bytes: Span<UInt8>) {
        guard bytes.count == algorithm.byteCount else { return nil }
        self.algorithm = algorithm
        for index in bytes.indices { merge(bytes[index], at: index) }
    }

    /// Parses `sha256:<64 lower-case hex digits>` or `sha512:<128 …>`.
    package init(_ text: some StringProtocol) throws(ReferenceError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let algorithm = Algorithm(rawValue: String(parts[0])) else {
            throw .digest(String(text))
        }
        guard parts[1].utf8.count == algorithm.byteCount * 2 else { throw .digest(String(text)) }
        self.algorithm = algorithm
        for (index, byte) in parts[1].utf8.enumerated() {
            guard let digit = byte.lowerHexValue else { throw .digest(String(text)) }
            merge(index.isMultiple(of: 2) ? digit << 4 : digit, at: index / 2)
        }
    }

    /// The byte of the hash at `index`.
    package subscript(index: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: words[index / 8] >> UInt64(index % 8 * 8))
    }

    private mutating func merge(_ byte: UInt8, at index: Int) {
        words[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8)
    }

    /// The hash as lower-case hex digits: what is safe to use as a file name.
    package var hex: String {
        var digits: [UInt8] = []
        digits.reserveCapacity(algorithm.byteCount * 2)
        for index in 0..<algorithm.byteCount {
            digits.append(hexDigits[Int(self[index] >> 4)])
            digits.append(hexDigits[Int(self[index] & 15)])
        }
        return String(decoding: digits, as: UTF8.self)
    }
}

extension Digest: Hashable {
    package static func == (left: Self, right: Self) -> Bool {
        guard left.algorithm == right.algorithm else { return false }
        for index in left.words.indices where left.words[index] != right.words[index] { return false }
        return true
    }

    /// Of all words: a client chooses the digests that it asks for, and could choose many with equal beginnings.
    package func hash(into hasher: inout Hasher) {
        for index in 0..<algorithm.byteCount / 8 { hasher.combine(words[index]) }
    }
}

extension Digest: CustomStringConvertible {
    package var description: String { "\(algorithm.rawValue):\(hex)" }
}

private let hexDigits = Array("0123456789abcdef".utf8)

extension UInt8 {
    /// The value of a lower-case hex digit; upper case is not a digest.
    fileprivate var lowerHexValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
