import Testing

@testable import OCI

@Suite("Ranges of a body")
struct ByteRangeTests {
    /// The vectors of PROTOCOL F5, on a blob of 5000 bytes.
    @Test(
        "a range is cut to the body, or cannot be satisfied",
        arguments: [
            ("bytes=0-", .parts([0..<5000])),
            ("bytes=500-1499", .parts([500..<1500])),
            ("bytes=500-", .parts([500..<5000])),
            ("bytes=-500", .parts([4500..<5000])),
            ("bytes=-9999", .parts([0..<5000])),
            ("bytes=2000-9999", .parts([2000..<5000])),
            ("bytes=0-5000", .parts([0..<5000])),
            ("bytes=4999-", .parts([4999..<5000])),
            ("bytes=5000-", .unsatisfiable),
            ("bytes=500-0", .unsatisfiable),
            ("bytes=-0", .unsatisfiable),
            ("bytes=99999999999999999999999-", .unsatisfiable),
            ("bytes=0-99999999999999999999999", .parts([0..<5000])),
            ("bytes=-99999999999999999999999", .parts([0..<5000])),
            ("BYTES=0-1", .parts([0..<2])),
            ("bytes=0-1, 10-11", .parts([0..<2, 10..<12])),
            ("bytes=10-11,,0-1 ,", .parts([10..<12, 0..<2])),
            ("bytes=0-1,9000-", .parts([0..<2])),
            ("bytes=9000-,8000-", .unsatisfiable),
            ("bytes=0-,0-", .whole),
        ] as [(String, ByteRange.Selection)]
    )
    func selection(header: String, expected: ByteRange.Selection) throws {
        let range = try #require(ByteRange(header))
        #expect(range.selection(ofSize: 5000) == expected)
    }

    @Test(
        "what is not a range of bytes is ignored",
        arguments: [
            "", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=a-b", "bytes=1", "bytes=1-2-3", "bytes=+1-2",
            "bytes=1 -2", "items=0-1", " bytes=0-1", "bytes=0-1;2-3", "bytes=0x1-2",
        ]
    )
    func ignored(header: String) {
        #expect(ByteRange(header) == nil)
    }

    @Test("sixteen ranges are served as such, one more as the whole")
    func manyRanges() throws {
        func header(_ count: Int) -> String {
            "bytes=" + (0..<count).map { "\($0 * 10)-\($0 * 10)" }.joined(separator: ",")
        }
        let sixteen = try #require(ByteRange(header(16)))
        #expect(sixteen.selection(ofSize: 5000) == .parts((0..<16).map { $0 * 10..<$0 * 10 + 1 }))
        let seventeen = try #require(ByteRange(header(17)))
        #expect(seventeen.selection(ofSize: 5000) == .whole)
    }

    @Test("an empty body has no ranges, and is sent whole")
    func emptyBody() throws {
        #expect(try #require(ByteRange("bytes=0-")).selection(ofSize: 0) == .whole)
    }
}
