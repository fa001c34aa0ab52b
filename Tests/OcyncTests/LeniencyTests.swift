import Testing
import YAMLReading

@testable import Ocync

@Suite("What ocync shows in its documentation and refuses")
struct LeniencyTests {
    private let withoutTags = """
        registries: {hub: {url: docker.io, auth_type: basic, credentials: {username: "${USER_NAME}", password: "${PASS}"}}}
        defaults: {source: hub, targets: hub}
        mappings:
          - from: library/nginx
            to: nginx
          - {from: library/redis, tags: }
        """
    private let environment = ["USER_NAME": "me", "PASS": "secret"]

    @Test("a mapping without tags anywhere takes the default tag, with a warning")
    func defaultTag() throws {
        let loaded = try load(withoutTags, environment)
        #expect(
            loaded.configuration.mappings.map(\.tags) == [
                TagFilter(literals: ["latest"]), TagFilter(literals: ["latest"]),
            ]
        )
        #expect(
            loaded.warnings.map(\.description) == [
                "ocync.yaml:4: mappings[0]: mapping 'library/nginx': has no tags, and there is no defaults.tags: taking"
                    + " latest alone; ocync itself refuses this",
                "ocync.yaml:6: mappings[1]: mapping 'library/redis': has no tags, and there is no defaults.tags: taking"
                    + " latest alone; ocync itself refuses this",
            ]
        )
        let other = try load(withoutTags, environment, leniency: Leniency(defaultTag: "stable"))
        #expect(other.configuration.mappings.map(\.tags.literals) == [["stable"], ["stable"]])
    }

    @Test("without a default tag it is refused, as ocync does")
    func noDefaultTag() {
        let found = problems(withoutTags, environment, leniency: .none)
        #expect(found.map(\.line) == [4, 6])
        #expect(
            found.first?.message.hasPrefix("mapping 'library/nginx': is missing a tags block (and no defaults.tags")
                == true
        )
    }

    @Test("an empty block is tags: all of them")
    func emptyBlock() throws {
        let text = withoutTags.replacing("tags: }", with: "tags: {}}").replacing("to: nginx", with: "tags: {}")
        let loaded = try load(text, environment, leniency: .none)
        #expect(loaded.warnings.isEmpty)
        #expect(loaded.configuration.mappings.map(\.tags) == [TagFilter(), TagFilter()])
    }

    private let inheritedSort = """
        defaults: {tags: {sort: semver, latest: 10}}
        mappings: [{from: a, tags: {semver: ">=15", latest: 3}}]
        """

    @Test("latest may take its sort from the defaults, with a warning")
    func sortOfDefaults() throws {
        let loaded = try load(inheritedSort)
        let filter = try #require(loaded.configuration.mappings.first).tags
        #expect(filter.sort == .semver)
        #expect(filter.latest == 3)
        #expect(loaded.warnings.first?.path == "mappings[0].tags.latest")
        #expect(loaded.warnings.first?.message.contains("takes its sort from another block") == true)
    }

    @Test("that is refused when leniency is off, as ocync does")
    func strictSort() {
        #expect(problems(inheritedSort, leniency: .none).map(\.path) == ["mappings[0].tags.latest"])
        #expect(problems(inheritedSort, leniency: Leniency(inheritsSort: false)).count == 1)
    }

    @Test("latest of the defaults may take its sort from the mappings, if each of them has one")
    func sortOfMappings() throws {
        let sorted = "defaults: {tags: {latest: 3}}\nmappings: [{from: a, tags: {sort: alpha}}]"
        #expect(try load(sorted).warnings.first?.path == "defaults.tags.latest")
        #expect(problems(sorted, leniency: .none).map(\.path) == ["defaults.tags.latest"])
        let unsorted = "defaults: {tags: {latest: 3}}\nmappings: [{from: a, tags: {sort: alpha}}, {from: b}]"
        #expect(problems(unsorted).map(\.path) == ["defaults.tags.latest"])
    }

    @Test("latest without any sort is refused always")
    func noSort() {
        #expect(problems("mappings: [{from: a, tags: {latest: 3}}]").map(\.path) == ["mappings[0].tags.latest"])
        let unrelated = "defaults: {tags: {glob: a}}\nmappings: [{from: a, tags: {latest: 3}}]"
        #expect(problems(unrelated).map(\.path) == ["mappings[0].tags.latest"])
    }
}
