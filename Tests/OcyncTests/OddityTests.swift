import Testing
import YAMLReading

@testable import Ocync

/// Cases that follow from OCYNC 2 and from what ocync's YAML library does, beyond those that were recorded.
@Suite("Odd files, as ocync takes them")
struct OddityTests {
    private static let mapping = "mappings: [{from: a, tags: {}}]"

    @Test(
        "is loaded",
        arguments: [
            // Enumerations may be tags.
            "registries: {a: {url: x, auth_type: !anonymous }}\n" + mapping,
            "registries: {a: {url: x, auth_type: \"ecr\"}}\n" + mapping,
            "mappings: [{from: a, tags: {sort: !semver , latest: 1}}]",
            // Tags of YAML that say nothing of numbers.
            "mappings: [{from: a, tags: {glob: !!timestamp 2024-01-01}}]",
            "mappings: [{from: a, tags: {glob: !!str 1}}]",
            "mappings: [{from: a, tags: {latest: !!str 5, sort: alpha}}]",
            // Whole numbers in other bases.
            "mappings: [{from: a, tags: {latest: 0x5, min_tags: 0b1, sort: alpha}}]",
            "mappings: [{from: a, tags: {latest: +5, min_tags: 0o17, sort: alpha}}]",
            "mappings: [{from: a, tags: {latest: 18446744073709551615, sort: alpha}}]",
            // Texts that look like something else.
            "mappings: [{from: a, tags: {glob: [0o8, 0xG, 1e400, -.nan, ., -, +, 1e, e1, NaN, 1__0, ~a, 0123, -012]}}]",
            "mappings: [{from: ~, to: ~, source: ~, targets: ~, platforms: ~, artifacts: ~, tags: {}}]",
            "mappings: [{from: true, to: 1.10, tags: {semver: 1.10, immutable_tags: 5}}]",
            "registries: {1: {url: 5000}, ~: {url: x}}\nmappings: [{from: a, source: 1, targets: [~], tags: {}}]"
                .replacing("[~]", with: "[\"~\"]"),
            // Of a name that is given twice the last counts, whatever the first would mean.
            "registries: {a: {url: x, auth_type: basic}, a: {url: y}}\n" + mapping,
            "registries: {a: {url: x, max_concurrent: 0}, a: {url: y}}\n" + mapping,
            "target_groups: {g: [a], g: []}\n" + mapping,
            // What nobody asks for may be anything.
            "x: {a: 1, a: 2}\ny: {[a]: b}\nz: !foo bar\n" + mapping,
            "mappings: [{from: a, tags: {}, other: {b: 1, b: 2}, other: 3}]",
            "registries: {a: {url: x, credentials: }}\n" + mapping,
            "registries: {a: {url: x, token: , max_concurrent: }}\n" + mapping,
            "global: {max_concurrent_transfers: 1, cache_ttl: 90, staging_size_limit: 1B}\n" + mapping,
            "global: {cache_ttl: , cache_dir: , staging_size_limit: }\n" + mapping,
            "defaults: {platforms: [a/b, a/b/c/d]}\n" + mapping, "%YAML 1.2\n---\n" + mapping,
            // A group has the name of a registry: the group goes first, and is looked at where it is used.
            "registries: {a: {url: x}}\ntarget_groups: {a: []}\nmappings: [{from: q, targets: a, tags: {}}]",
        ]
    )
    func loaded(text: String) throws {
        _ = try load(text, [:], leniency: .none)
    }

    @Test(
        "is refused",
        arguments: [
            "registries: {a: {url: x, auth_type: !basic x}}\n" + mapping,
            "registries: {a: {url: x, auth_type: !nope }}\n" + mapping,
            "mappings: [{from: a, tags: {sort: Semver}}]", "mappings: [{from: a, tags: {sort: [semver]}}]",
            "mappings: [{from: a, tags: {glob: !foo x}}]", "mappings: [{from: a, tags: {glob: !!int 5}}]",
            "mappings: [{from: a, tags: {glob: [[x]]}}]", "mappings: [{from: a, tags: {glob: {x: y}}}]",
            "mappings: [{from: a, tags: {glob: [-0]}}]", "mappings: [{from: a, tags: {glob: [1., +.5]}}]",
            "mappings: [{from: a, tags: {glob: [+.inf]}}]", "mappings: [{from: a, tags: {glob: [-0x1F]}}]",
            "mappings: [{from: a, tags: {latest: 05, sort: alpha}}]",
            "mappings: [{from: a, tags: {latest: 1e1, sort: alpha}}]",
            "mappings: [{from: a, tags: {min_tags: 18446744073709551616}}]",
            "mappings: [{from: a, tags: {semver: [x]}}]", "mappings: [{from: [a], tags: {}}]", "mappings: [[]]",
            "mappings: [a]",
            "mappings: ~", "mappings: ''", "mappings: {}", "registries: ~\n" + mapping, "registries: []\n" + mapping,
            "registries: {a: ~}\n" + mapping, "target_groups: {g: ~}\n" + mapping, "target_groups: {g: a}\n" + mapping,
            "target_groups: {g: [[a]]}\n" + mapping, "? [a]\n: b\n" + mapping,
            // Each of two with one name must be readable.
            "registries: {a: {}, a: {url: y}}\n" + mapping, "target_groups: {g: a, g: []}\n" + mapping,
            // A field is given twice.
            mapping + "\n" + mapping, "mappings: [{from: a, from: a, tags: {}}]",
            "mappings: [{from: a, tags: {}, \"tags\": {}}]",
            "mappings: [{from: a, tags: {glob: x, glob: y}}]", "registries: {a: {url: x, url: x}}\n" + mapping,
            "defaults: {artifacts: {enabled: true, enabled: true}}\n" + mapping,
            "defaults: {artifacts: true}\n" + mapping, "defaults: {artifacts: {include: ~}}\n" + mapping,
            "defaults: {artifacts: {enabled: yes}}\n" + mapping,
            "defaults: {artifacts: {require_artifacts: }}\n" + mapping,
            "defaults: {platforms: [linux]}\n" + mapping, "defaults: {platforms: [linux//amd64]}\n" + mapping,
            "defaults: {platforms: [linux/amd64/]}\n" + mapping, "defaults: {platforms: []}\n" + mapping,
            "defaults: {targets: [g]}\ntarget_groups: {g: []}\n" + mapping,
            "target_groups: {g: [nope]}\ndefaults: {targets: g}\n" + mapping,
            "global: {cache_ttl: h}\n" + mapping, "global: {cache_ttl: ''}\n" + mapping,
            "global: {cache_ttl: 1h30m}\n" + mapping,
            "global: {cache_ttl: -1}\n" + mapping, "global: {staging_size_limit: 100}\n" + mapping,
            "global: {staging_size_limit: GB}\n" + mapping, "global: {staging_size_limit: 1 GB}\n" + mapping,
            "global: {max_concurrent_transfers: 0}\n" + mapping,
            "registries: {a: {url: x, aws_profile: p}}\n" + mapping,
            "registries: {a: {url: x, auth_type: ecr, aws_profile: ''}}\n" + mapping,
            "registries: {a: {url: x, auth_type: static_token, token: }}\n" + mapping,
            "registries: {a: {url: x, auth_type: basic, credentials: ~}}\n" + mapping,
            "registries: {a: {url: x, credentials: {}}}\n" + mapping, "registries: {a: {url: [x]}}\n" + mapping,
            "a: &x 1\nb: *y\n" + mapping, "---\n", "# nothing\n", "null\n", "[]\n", "text\n",
            "mappings: [{from: a, tags: {semver_prerelease: {}}}]",
        ]
    )
    func refused(text: String) {
        #expect(!problems(text, [:], leniency: .none).isEmpty)
    }

    @Test("a name with a combining mark behind the sign is a reference like others")
    func combining() {
        let expansion = EnvironmentExpansion(environment: [:])
        #expect(expansion.expand("${A:-\u{301}x}").text == "\u{301}x")
    }
}
