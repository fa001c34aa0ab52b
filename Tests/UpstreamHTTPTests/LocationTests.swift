import Testing

@testable import UpstreamHTTP

@Suite("Location")
struct LocationTests {
    @Test(
        "keeps what it was made of",
        arguments: [
            "https://cdn.example/a//b/../c?x=%2B%2f&y=a+b", "http://h:8080/", "https://[::1]:5000/x?", "https://h/%7Ea",
        ]
    )
    func verbatim(text: String) {
        #expect(Location(text)?.text == text)
    }

    @Test(
        "is an origin and a target",
        arguments: [
            ("https://HOST.Example:443/p?q#f", "https://host.example", "/p?q"), ("HTTP://h", "http://h", "/"),
            ("https://h?q=1", "https://h", "/?q=1"), ("http://h:443/", "http://h:443", "/"),
            ("https://[2001:DB8::1]/", "https://[2001:db8::1]", "/"),
        ]
    )
    func parts(text: String, origin: String, target: String) {
        #expect(Location(text)?.origin.text == origin)
        #expect(Location(text)?.target == target)
    }

    @Test(
        "is nothing else",
        arguments: [
            "", "host/path", "ftp://h/", "https://", "https:///p", "https://u@h/", "https://u:p@h/", "https://h:0/",
            "https://h:65536/", "https://h:x/", "https://h:-1/", "https://a b/", "https://h/a b", "https://h/\r\nX:y",
            "https://good\\@evil/", "https://[::1/", "https://[x]/", "https://h:80:90/",
        ]
    )
    func refuses(text: String) {
        #expect(Location(text) == nil)
    }

    @Test(
        "resolves references",
        arguments: [
            ("/x?y", "https://h:1/x?y"), ("//other/x", "https://other/x"), ("?n=2", "https://h:1/a/b?n=2"),
            ("c?d", "https://h:1/a/c?d"), ("./c", "https://h:1/a/c"), ("../c", "https://h:1/c"),
            ("../../../c", "https://h:1/c"), ("http://o/x", "http://o/x"), ("/a:b", "https://h:1/a:b"),
        ]
    )
    func resolves(reference: String, expected: String) {
        #expect(Location("https://h:1/a/b?q")?.resolving(reference)?.text == expected)
    }

    @Test("does not show its query")
    func shown() {
        #expect(Location("https://h/p?Signature=s")?.shown == "https://h/p")
    }

    @Test("encodes query values")
    func encoding() {
        #expect("repository:a/b:pull,push".queryEncoded == "repository:a/b:pull,push")
        #expect("a b&c=+ü\n".queryEncoded == "a%20b%26c%3D%2B%C3%BC%0A")
    }
}

@Suite("Realm")
struct RealmTests {
    private func verdict(_ realm: String, for endpoint: String, trusting trusted: [String] = []) throws -> String {
        let origin = try #require(Location(endpoint)).origin
        return switch RealmRules(endpoint: origin, trustedRealms: trusted).judge(realm) {
        case .trusted: "trusted"
        case .anonymousOnly: "anonymous"
        case .refused: "refused"
        }
    }

    @Test(
        "gets credentials where it is the registry's own",
        arguments: [
            ("https://registry-1.docker.io", "https://auth.docker.io/token", "trusted"),
            ("https://ghcr.io", "https://ghcr.io/token", "trusted"),
            ("https://lscr.io", "https://ghcr.io/token", "trusted"),
            ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", "trusted"),
            ("https://r.example", "https://r.example:8443/token", "trusted"),
            ("https://r.example", "https://auth.docker.io/token", "anonymous"),
            ("https://ghcr.io", "https://lscr.io/token", "anonymous"),
            ("https://r.example", "https://evil.r.example/token", "anonymous"),
            ("https://r.example", "https://r.example.evil/token", "anonymous"),
            ("https://r.example", "http://r.example/token", "refused"),
            ("http://r.example", "http://r.example/token", "trusted"),
            ("https://r.example", "r.example/token", "refused"),
            ("https://r.example", "https://r.example@evil/token", "refused"),
        ]
    )
    func verdicts(endpoint: String, realm: String, expected: String) throws {
        #expect(try verdict(realm, for: endpoint) == expected)
    }

    @Test(
        "gets them where the settings say so",
        arguments: [
            ("auth.corp", "https://auth.corp/x", "trusted"), ("auth.corp:8443", "https://auth.corp:8443/x", "trusted"),
            ("auth.corp:8443", "https://auth.corp/x", "anonymous"),
            ("https://auth.corp/a", "https://auth.corp/a/t", "trusted"),
            ("https://auth.corp/a", "https://auth.corp/ab", "anonymous"),
            ("auth.corp", "http://auth.corp/x", "refused"),
        ]
    )
    func trusted(entry: String, realm: String, expected: String) throws {
        #expect(try verdict(realm, for: "https://r.example", trusting: [entry]) == expected)
    }
}
