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

        /// How long a digest of this algorithm is as text.
        fileprivate var textCount: Int { rawValue.utf8.count + 1 + byteCount * 2 }

        /// Whether the text begins as a digest of this algorithm does; it must be as long as one.
        fileprivate func begins(_ text: Span<UInt8>) -> Bool {
            let name = rawValue
            let bytes = name.utf8.span
            for index in bytes.indices where bytes[index] != text[index] { return false }
            return text[bytes.count] == UInt8(ascii: ":")
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
    package init(_ text: String) throws(ReferenceError) {
        guard let digest = Self(utf8: text.utf8.span) else { throw .digest(text) }
        self = digest
    }

    /// Parses the same from within a longer text.
    package init(_ text: Substring) throws(ReferenceError) {
        guard let digest = Self(utf8: text.utf8.span) else { throw .digest(String(text)) }
        self = digest
    }

    private init?(utf8 text: Span<UInt8>) {
        let algorithm = Algorithm.allCases.first { $0.textCount == text.count }
        guard let algorithm, algorithm.begins(text) else { return nil }
        self.algorithm = algorithm
        let start = text.count - algorithm.byteCount * 2
        for index in 0..<algorithm.byteCount {
            guard let high = text[start + 2 * index].lowerHexValue, let low = text[start + 2 * index + 1].lowerHexValue
            else { return nil }
            merge(high << 4 | low, at: index)
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
