import Testing

@testable import Ocync

@Suite("The filter of tags")
struct TagFilterTests {
    private func kept(_ block: String, of tags: [String]) throws -> [String] {
        try OcyncTests.tags(block).apply(to: tags).kept
    }

    @Test("keeps the order of the registry without sort, and drops prereleases always")
    func everything() throws {
        let tags = [
            "b", "1.0-rc1", "a", "X-BETA", "x-premium", "x-preview", "1.0-Nightly.5", "nightly", "17rc1", "1-dev",
        ]
        #expect(try TagFilter().apply(to: tags).kept == ["b", "a", "nightly", "17rc1", "1-dev"])
    }

    @Test(
        "knows these marks of prereleases, in any case, behind a hyphen only",
        arguments: [
            ("1-rc", true), ("1-RC2", true), ("1-alpha", true), ("1-Beta.1", true), ("1-pre", true),
            ("1-snapshot", true),
            ("1-SNAPSHOT-x", true), ("x-nightly", true), ("1.0beta", false), ("rc1", false), ("1-edge", false),
            ("1-final", false), ("1-r0", false), ("1-dev", false),
        ]
    )
    func prereleases(tag: String, isDropped: Bool) throws {
        #expect(try TagFilter().apply(to: [tag]).kept.isEmpty == isDropped)
    }

    @Test("says for each dropped tag which rule it did not pass, the first of them")
    func rules() throws {
        let filter = try OcyncTests.tags(
            "glob: ['1.*', '2.*']\nsemver: '>=1.1'\nexclude: ['*-perl', '*-p*']\nsort: semver\nlatest: 2"
        )
        let tags = ["latest", "1.0", "1.x", "1.2-perl", "1.3-pre", "1.3-beta", "1.4", "1.5", "2.0", "3.0-rc1"]
        let selection = try filter.apply(to: tags)
        #expect(selection.kept == ["2.0", "1.5"])
        #expect(
            selection.dropped == [
                DroppedTag(tag: "latest", rule: .glob(["1.*", "2.*"])),
                DroppedTag(tag: "1.0", rule: .semver(">=1.1")),
                DroppedTag(tag: "1.x", rule: .semver(">=1.1")),
                DroppedTag(tag: "1.2-perl", rule: .exclude("*-perl")),
                DroppedTag(tag: "1.3-pre", rule: .exclude("*-p*")),
                DroppedTag(tag: "1.3-beta", rule: .builtInExclude("*-beta*")),
                DroppedTag(tag: "1.4", rule: .latest(2)),
                DroppedTag(tag: "3.0-rc1", rule: .glob(["1.*", "2.*"])),
            ]
        )
        #expect(
            selection.dropped.map(\.rule.description).suffix(5) == [
                "exclude (mapping) \"*-perl\"", "exclude (mapping) \"*-p*\"", "exclude (built-in) \"*-beta*\"",
                "over latest=2 limit", "glob \"1.*\", \"2.*\"",
            ]
        )
        #expect(!selection.isLiteral)
    }

    @Test("puts included names first, in the order of the registry, beyond latest and past every rule but one")
    func includedNames() throws {
        let block =
            "include: [stable, latest, 1.0-rc1, missing, gone]\nglob: '2.*'\nsemver: '>=2'\nexclude: gone\nsort: semver\nlatest: 1"
        let tags = ["latest", "2.0", "gone", "1.0-rc1", "2.1", "stable"]
        #expect(try kept(block, of: tags) == ["latest", "1.0-rc1", "stable", "2.1"])
    }

    @Test("does not list a tag twice that is included and passes")
    func noDoubles() throws {
        let selection = try OcyncTests.tags("include: ['2.0']\nsort: semver\nlatest: 2")
            .apply(to: ["1.0", "2.0", "1.5"])
        #expect(selection.kept == ["2.0", "1.5"])
        #expect(selection.dropped == [DroppedTag(tag: "1.0", rule: .latest(2))])
    }

    @Test("takes braces in an included name for alternatives")
    func includedBraces() throws {
        #expect(
            try kept("include: '{latest,stable}'\nsemver: '>=9'", of: ["stable", "1.0", "latest"]) == [
                "stable", "latest",
            ]
        )
    }

    @Test("saves by included patterns from glob and soft excludes, not from the range, the own excludes and latest")
    func includedPatterns() throws {
        var filter = try OcyncTests.tags(
            "include: '*-rc*'\nglob: 'v*'\nsemver: '>=1'\nexclude: '*-rc9'\nsort: semver\nlatest: 3"
        )
        filter.softExclude = ["*-rc2", "v5"]
        let tags = ["0.9-rc1", "1.0-rc2", "1.0-rc9", "2.0-rc1", "v3", "v4-beta", "v5", "1.5-rc1"]
        let selection = try filter.apply(to: tags)
        #expect(selection.kept == ["v3", "2.0-rc1", "1.5-rc1"])
        #expect(
            selection.dropped.map(\.rule) == [
                .semver(">=1"), .latest(3), .exclude("*-rc9"), .builtInExclude("*-beta*"), .softExclude("v5"),
            ]
        )
    }

    @Test("lets fallback tags of referrers through without a range, and never with one")
    func fallbackTags() throws {
        let tags = ["1.0", "sha256-0f.sig", "sha512-1"]
        #expect(try TagFilter().apply(to: tags).kept == tags)
        #expect(try kept("semver: '>=0'", of: tags) == ["1.0"])
    }

    @Test("sorts by version downwards, equals in the order of the registry, other tags last")
    func sorted() throws {
        let tags = ["a", "1.0", "v2", "1.0.0", "B", "1.0-x", "2.0", "c", "v1"]
        #expect(try kept("sort: semver", of: tags) == ["v2", "2.0", "1.0", "1.0.0", "v1", "1.0-x", "c", "a", "B"])
    }

    @Test("sorts by bytes downwards")
    func sortedByBytes() throws {
        #expect(
            try kept("sort: alpha", of: ["b", "B", "10", "2", "_", "1.10", "1.9"]) == [
                "b", "_", "B", "2", "10", "1.9", "1.10",
            ]
        )
    }

    @Test("keeps the order of the registry for any number of equal tags")
    func stableSort() throws {
        let tags = (0..<200).map { "1" + String(repeating: ".0", count: $0) }
        #expect(try kept("sort: semver", of: tags) == tags)
    }

    @Test("fails with too few tags, included ones counted, unless it is only shown")
    func tooFew() throws {
        let filter = try OcyncTests.tags("include: latest\nsemver: '>=2'\nmin_tags: 3")
        #expect(try filter.apply(to: ["latest", "2", "3"]).kept == ["latest", "2", "3"])
        #expect(throws: TagFilterError.tooFew(2, minimum: 3)) { try filter.apply(to: ["latest", "1", "3"]) }
        #expect(try filter.select(from: ["latest", "1", "3"]).kept == ["latest", "3"])
        #expect(try kept("min_tags: 0", of: []) == [])
    }

    @Test("takes names as they are, without the tag list")
    func literals() throws {
        let selection = try TagFilter(literals: ["b", "a-rc1", "b"]).apply(to: ["x"])
        #expect(selection == TagSelection(isLiteral: true, kept: ["b", "a-rc1", "b"], dropped: []))
    }

    @Test(
        "tells the first mistake in its patterns, also in those that no tag meets",
        arguments: [
            ("exclude: 'a}'\ninclude: '[*'\nglob: '{*'\nsemver: ^1", "a}"), ("include: ['{a', '[*']\nglob: '{*'", "[*"),
            ("include: '{a'\nglob: '{*'", "{a"), ("glob: '{*'\nsemver: ^1", "{*"),
        ]
    )
    func mistakes(block: String, pattern: String) throws {
        let filter = try OcyncTests.tags(block)
        let error = #expect(throws: TagFilterError.self) { try filter.apply(to: []) }
        #expect(
            error?.description.hasPrefix("invalid glob pattern '\(pattern)': error parsing glob '\(pattern)': ") == true
        )
        #expect(filter.problem == error)
    }

    @Test("wants sort beside latest, whatever else is wrong")
    func latestWithoutSort() {
        var filter = TagFilter()
        filter.latest = 1
        filter.exclude = ["{"]
        #expect(throws: TagFilterError.latestWithoutSort) { try filter.apply(to: []) }
        #expect(filter.problem?.description == "`latest` requires `sort` to be set")
    }

    @Test(
        "knows the tags that never move",
        arguments: [("v*", "v1", true), ("v*", "1", false), ("{[0-9]*,v[0-9]*}.[0-9]*.[0-9]*", "1.22.3", true)]
    )
    func immutable(pattern: String, tag: String, isImmutable: Bool) throws {
        var filter = TagFilter()
        filter.immutableTags = pattern
        #expect(try filter.immutablePattern()?.matches(tag) == isImmutable)
        #expect(try TagFilter().immutablePattern() == nil)
    }

    @Test("wants platforms whatever their case, a variant only when one is named, and nothing unknown")
    func platforms() throws {
        let wanted = try ["Linux/AMD64", "linux/arm64/v8", "linux/arm"].map { try #require(PlatformFilter($0)) }
        #expect(wanted.want(os: "linux", architecture: "amd64", variant: nil))
        #expect(wanted.want(os: "linux", architecture: "amd64", variant: "v3"))
        #expect(wanted.want(os: "LINUX", architecture: "arm64", variant: "v8"))
        #expect(!wanted.want(os: "linux", architecture: "arm64", variant: nil))
        #expect(!wanted.want(os: "linux", architecture: "arm64", variant: "v9"))
        #expect(wanted.want(os: "linux", architecture: "arm", variant: "v7"))
        #expect(!wanted.want(os: "windows", architecture: "amd64", variant: nil))
        let unknown = try [#require(PlatformFilter("unknown/unknown"))]
        #expect(!unknown.want(os: "unknown", architecture: "unknown", variant: nil))
        #expect(PlatformFilter("linux/arm/v7/x")?.variant == "v7/x")
    }

    @Test(
        "wants referrers by their type, or their media type when they have none",
        arguments: [
            ([], [], "a/b", true), (["a/b"], [], "a/b", true), (["a/b"], [], "c/d", false), ([], ["a/b"], "a/b", false),
            (["a/b"], ["a/b"], "a/b", false), (["A/B"], [], "a/b", false),
        ] as [([String], [String], String, Bool)]
    )
    func artifacts(include: [String], exclude: [String], type: String, isWanted: Bool) {
        var filter = ArtifactFilter()
        filter.include = include
        filter.exclude = exclude
        #expect(filter.wants(artifactType: type, mediaType: "other/type") == isWanted)
        #expect(filter.wants(artifactType: nil, mediaType: type) == isWanted)
        filter.isEnabled = false
        #expect(!filter.wants(artifactType: type, mediaType: type))
    }
}
