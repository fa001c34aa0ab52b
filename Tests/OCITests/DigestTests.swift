import OCI
import Testing

@Suite("Digest")
struct DigestTests {
    static let hello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

    @Test("prints what it parsed", arguments: [hello, "sha512:" + String(repeating: "0a", count: 64)])
    func roundTrip(text: String) throws {
        #expect(try Digest(text).description == text)
    }

    @Test("is made of the bytes of a hash")
    func bytes() throws {
        let bytes = (0..<32).map { UInt8($0) }
        let digest = Digest(algorithm: .sha256, bytes: bytes.span)
        #expect(digest?.hex == "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
        let wrong = Digest(algorithm: .sha512, bytes: bytes.span)
        #expect(wrong == nil)
    }

    @Test(
        "refuses what is not a digest",
        arguments: [
            "", ":", "sha256", "sha256:", "sha256:abc", "sha256:totallywrong", "md5:d41d8cd98f00b204e9800998ecf8427e",
            hello.uppercased(), "SHA256:" + hello.dropFirst(7), hello + "0", String(hello.dropLast()),
            "sha256:../../../../etc/passwd", "sha512:" + hello.dropFirst(7), hello + "\0",
        ]
    )
    func refuses(text: String) {
        #expect(throws: ReferenceError.digest(text)) { try Digest(text) }
    }
}
