import Hashing
import Testing

@Suite("Content hasher")
struct ContentHasherTests {
    /// Published test vectors (FIPS 180-4 examples, and the empty message).
    static let vectors: [(HashAlgorithm, String, String)] = [
        (.sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            .sha512, "",
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
                + "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
        ),
        (
            .sha512, "abc",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
    ]

    @Test("gives the published hashes", arguments: vectors)
    func publishedVectors(algorithm: HashAlgorithm, text: String, expected: String) {
        #expect(hex(ContentHasher.hash(Array(text.utf8).span, algorithm)) == expected)
    }

    @Test("does not care how the bytes are cut", arguments: HashAlgorithm.allCases)
    func pieces(algorithm: HashAlgorithm) {
        let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var hasher = ContentHasher(algorithm)
        for start in stride(from: 0, to: bytes.count, by: 37) {
            hasher.update(bytes.span.extracting(start..<min(start + 37, bytes.count)))
        }
        let hash = hasher.finalize()
        #expect(hash.count == algorithm.byteCount)
        #expect(hash == ContentHasher.hash(bytes.span, algorithm))
    }

    @Test("names the library it runs with")
    func version() {
        #expect(CryptoVersion.text.hasPrefix("OpenSSL 3."))
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
