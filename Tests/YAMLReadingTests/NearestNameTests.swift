import Testing
import YAMLReading

@Suite("Names that are nearly right")
struct NearestNameTests {
    @Test(
        "a mistyped word finds the one that was meant",
        arguments: [
            ("tagTTL", "tag_ttl"), ("tag-ttl", "tag_ttl"), ("tag_tll", "tag_ttl"), ("alow", "allow"),
            ("endpoints", "endpoint"),
        ]
    )
    func suggestions(written: String, meant: String) {
        #expect(written.nearest(among: ["endpoint", "tag_ttl", "allow", "deny", "retries"]) == meant)
    }

    @Test("a word that is like none of them finds none")
    func noSuggestion() {
        #expect("storage".nearest(among: ["endpoint", "tag_ttl", "allow"]) == nil)
        #expect("x".nearest(among: ["to"]) == nil)
    }
}
