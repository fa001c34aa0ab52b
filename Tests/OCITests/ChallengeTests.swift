import OCI
import Testing

@Suite("Challenge")
struct ChallengeTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var fields: [String]
        var expected: [Challenge]
        var testDescription: String { fields.joined(separator: " | ") }

        init(_ fields: String..., expected: [Challenge]) {
            self.fields = fields
            self.expected = expected
        }
    }

    static func bearer(_ parameters: [String: String]) -> Challenge {
        Challenge(scheme: "bearer", parameters: parameters)
    }

    static let hub = ["realm": "https://auth.docker.io/token", "service": "registry.docker.io"]

    static let cases: [Case] = [
        Case(
            #"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#,
            expected: [bearer(hub)]
        ),
        Case(
            #"bearer  realm = "https://auth.docker.io/token" , service="registry.docker.io" , "#,
            expected: [bearer(hub)]
        ),
        Case(
            #"Bearer realm="https://gcr.io/v2/token",service=gcr.io"#,
            expected: [bearer(["realm": "https://gcr.io/v2/token", "service": "gcr.io"])]
        ),
        Case(
            "Bearer realm=https://gcr.io/v2/token,service=gcr.io",
            expected: [bearer(["realm": "https://gcr.io/v2/token", "service": "gcr.io"])]
        ),
        Case(
            #"Basic realm="Registry", Bearer realm="https://r/token",scope="repository:a/b:pull,push""#,
            expected: [
                Challenge(scheme: "basic", parameters: ["realm": "Registry"]),
                bearer(["realm": "https://r/token", "scope": "repository:a/b:pull,push"]),
            ]
        ),
        Case(
            #"Basic realm="one""#,
            #"Bearer realm="two""#,
            expected: [Challenge(scheme: "basic", parameters: ["realm": "one"]), bearer(["realm": "two"])]
        ),
        Case(
            #"Negotiate, NTLM TlRMTVNTUAA=, Basic realm="r""#,
            expected: [
                Challenge(scheme: "negotiate"), Challenge(scheme: "ntlm"),
                Challenge(scheme: "basic", parameters: ["realm": "r"]),
            ]
        ),
        Case(#"Bearer realm="a\"b\\c""#, expected: [bearer(["realm": #"a"b\c"#])]),
        Case(
            #"Bearer realm="https://r/token",scope="""#,
            expected: [bearer(["realm": "https://r/token", "scope": ""])]
        ),
        Case(#"Bearer REALM="first",realm="second""#, expected: [bearer(["realm": "first"])]),
        Case(#"Bearer realm="never closed"#, expected: [bearer(["realm": "never closed"])]),
        Case("Bearer", expected: [bearer([:])]),
        Case("", expected: []),
        Case(", ,", expected: []),
        Case(#""=,;Bearer realm=x"#, expected: [bearer(["realm": "x"])]),
    ]

    @Test("reads what registries send", arguments: cases)
    func reads(test: Case) {
        #expect(Challenge.parse(test.fields) == test.expected)
    }

    @Test("an empty parameter counts as absent")
    func empty() {
        #expect(Self.bearer(["scope": ""])["scope"] == nil)
        #expect(Self.bearer(["scope": "aws"])["scope"] == "aws")
    }
}

@Suite("Scope")
struct ScopeTests {
    @Test("is the one that a pull of the repository needs")
    func pull() throws {
        #expect(try Scope.pull(RepositoryName("library/nginx")).text == "repository:library/nginx:pull")
    }

    @Test("an empty one is none, and a foreign one is kept")
    func challenged() {
        #expect(Scope(challenged: nil) == nil)
        #expect(Scope(challenged: "") == nil)
        #expect(Scope(challenged: "aws")?.isOfRepository == false)
        #expect(Scope(challenged: "repository:a/b:pull")?.isOfRepository == true)
    }
}
