import Testing

@testable import Ocync

@Suite("Tags as versions")
struct VersionTests {
    @Test(
        "begin with numbers, up to the first hyphen",
        arguments: [
            ("1", [1]), ("1.2.3", [1, 2, 3]), ("v1.27.6", [1, 27, 6]), ("v0", [0]), ("21.0.5_11", [21, 0, 5, 11]),
            ("2024.01.15", [2024, 1, 15]), ("1.0-", [1, 0]), ("1.0---", [1, 0]), ("15.10-alpine", [15, 10]),
            ("1.2.3.4.5", [1, 2, 3, 4, 5]), ("18446744073709551615", [UInt64.max]), ("1-rc1", [1]), ("007", [7]),
        ] as [(String, [UInt64])]
    )
    func numbers(tag: String, numbers: [UInt64]) {
        #expect(TagVersion(tag)?.numbers == numbers)
    }

    @Test(
        "are no versions with anything else there",
        arguments: [
            "", "v", "V1.0", "vv1", "latest", "lts-iron", "17rc1", "1.24rc2", "1..0", ".1", "1.", "-1", "v-1", "1_",
            "1+2",
            "18446744073709551616", "1.x", " 1", "1.٣", "sha256-abc",
        ]
    )
    func noVersions(tag: String) {
        #expect(TagVersion(tag) == nil)
    }

    @Test("are ordered by numbers, then none before any suffix, then piece by piece")
    func order() throws {
        let ascending = [
            "v0", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-RC1", "1.0.0-alpha", "1.0.0-rc1", "1.0.0-rc9", "1.0.0-rc10",
            "1.0.0-rc10.hotfix", "1.0", "1.0.5", "1.2-alpine3.9", "1.2-alpine3.20", "1.10.0-alpha20241016", "1.10",
            "v1.27.6-eks-1-27-9", "v1.27.6-eks-1-27-14", "25.0.2_999", "25.0.3", "25.0.3_9-jre-alpine-3.23",
            "25.0.3_10",
            "2024.01.15", "20240115",
        ]
        let versions = try ascending.map { try #require(TagVersion($0)) }
        for (i, left) in versions.enumerated() {
            for (j, right) in versions.enumerated() {
                #expect(left.isLower(than: right) == (i < j), "\(ascending[i]), \(ascending[j])")
            }
        }
    }

    @Test(
        "may be equal though they are written differently",
        arguments: [
            ("1.0", "1.0.0"), ("v1", "1"), ("1.0.0-rc1", "1.0.0-rc.1"), ("1.0-", "1"), ("1_2", "1.2"),
            ("1-a_1", "1-a1"),
        ]
    )
    func equal(left: String, right: String) throws {
        let (left, right) = (try #require(TagVersion(left)), try #require(TagVersion(right)))
        #expect(!left.isLower(than: right))
        #expect(!right.isLower(than: left))
    }

    @Test(
        "are in a range by their numbers alone",
        arguments: [
            (">=1.0", "1.0.0", true), (">=1.0", "0.9", false), (">=15.0", "15.10-alpine", true),
            (">1.2", "1.2.0", false),
            (">1.2", "1.2.1", true), ("<2.0", "1.99", true), ("<2.0", "2.0.0-rc1", false), ("<=1.25", "1.25.0", true),
            ("<=1.25", "1.25.1", false), ("=1.25", "1.25-alpine", true), ("=1.25", "1.25.1", false),
            ("1.25", "1.25.0", true),
            ("1.25", "1.25.1", false), ("v1.2", "1.2", true), (">= v1.2 , < 2", "1.9", true),
            (">=1.0, <2.0", "2.0.0", false),
            (" >=1 ", "3", true), (">=1,<3,<2", "2.5", false), (">=+1", "1", true), ("=01.02", "1.2", true),
            (">=1.2.3.4", "1.2.3", false), (">=20240101", "20240115", true),
        ]
    )
    func ranges(range: String, tag: String, isIn: Bool) throws {
        #expect(try VersionRange(range).contains(#require(TagVersion(tag))) == isIn)
    }

    @Test(
        "have ranges with mistakes that are told",
        arguments: [
            ("", "empty range"), ("   ", "empty range"), (">=1.0,", "empty constraint"), (",", "empty constraint"),
            ("^1", "unsupported range syntax '^1'; use a comma-joined combination of >=, <=, >, <, ="),
            ("~1.2", "unsupported range syntax '~1.2'; use a comma-joined combination of >=, <=, >, <, ="),
            (">=1, 1.x", "unsupported range syntax '1.x'; use a comma-joined combination of >=, <=, >, <, ="),
            ("1.X", "unsupported range syntax '1.X'; use a comma-joined combination of >=, <=, >, <, ="),
            ("*", "unsupported range syntax '*'; use a comma-joined combination of >=, <=, >, <, ="),
            (">=1.0-rc1", "prerelease suffix not allowed in range bound: '1.0-rc1'"),
            (">=v1.0-rc1", "prerelease suffix not allowed in range bound: '1.0-rc1'"),
            (">=1.2 <2.0", "malformed bound '1.2 <2.0'"), ("!=1", "malformed bound '!=1'"),
            ("==1", "malformed bound '=1'"),
            (">=1 || <2", "malformed bound '1 || <2'"), ("latest", "malformed bound 'latest'"),
            (">=", "malformed bound ''"),
            (">=1..2", "malformed bound '1..2'"), (">=1_2", "malformed bound '1_2'"), (">=1.", "malformed bound '1.'"),
            (">=18446744073709551616", "malformed bound '18446744073709551616'"),
        ]
    )
    func mistakes(range: String, reason: String) {
        let error = #expect(throws: VersionRangeError.self) { try VersionRange(range) }
        #expect(error?.description == reason)
    }
}
