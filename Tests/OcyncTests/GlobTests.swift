import Testing

@testable import Ocync

@Suite("Patterns for tags")
struct GlobTests {
    @Test(
        "match the whole tag, with its case",
        arguments: [
            ("latest", "latest"), ("*", ""), ("*", "a/b"), ("**", "anything"), ("**/", "anything"), ("v1.*", "v1.2.3"),
            ("*-alpine", "1.2-alpine"), ("a*b*c", "axxbyybzc"), ("?", "x"), ("1.?", "1.2"), ("a**b", "ab"), ("***", ""),
            ("**/latest", "latest"), ("**/**/latest", "latest"), ("**/a", "x/y/a"), ("**a", "xa"),
            ("a,b", "a,b"), ("", ""), ("é?", "éx"),
        ]
    )
    func matches(pattern: String, tag: String) throws {
        #expect(try Glob(pattern).matches(tag))
    }

    @Test(
        "do not match a part of it, or more",
        arguments: [
            ("latest", "Latest"), ("latest", "latest2"), ("v1", "v1.2"), ("?", ""), ("?", "xy"), ("1.?", "1."),
            ("*-alpine", "alpine"), ("", "a"), ("v?[0-9]*", "v1"), ("**/a", "ba"), ("a*b", "ba"), ("x/**", "x"),
        ]
    )
    func doesNotMatch(pattern: String, tag: String) throws {
        #expect(!(try Glob(pattern).matches(tag)))
    }

    @Test(
        "know classes of characters",
        arguments: [
            ("[ab]", "a", true), ("[ab]", "c", false), ("[a-c]", "b", true), ("[a-c]", "d", false),
            ("[!ab]", "c", true),
            ("[!ab]", "a", false), ("[^ab]", "c", true), ("[!!]", "!", false), ("[]]", "]", true), ("[]a]", "a", true),
            ("[!]]", "a", true), ("[!]]", "]", false), ("[-a]", "-", true), ("[a-]", "-", true), ("[a-]", "b", false),
            ("[--0]", ".", true), ("[]-a]", "^", true), ("[a-c-e]", "d", true), ("[*?]", "*", true),
            ("[*?]", "x", false),
            ("[{]x", "{x", true), ("[0-9a-f]", "e", true), ("[A-Z]", "a", false), ("[\\]", "\\", true),
        ]
    )
    func classes(pattern: String, tag: String, isMatch: Bool) throws {
        #expect(try Glob(pattern).matches(tag) == isMatch)
    }

    @Test(
        "know alternatives, of which empty ones do not count",
        arguments: [
            ("{a,b}", "b", true), ("{a,b}", "a,b", false), ("{1.0,2.*}-x", "2.5-x", true), ("{a,{b,c}}d", "cd", true),
            ("{v,}1", "v1", true), ("{v,}1", "1", false), ("{}1", "1", true), ("{,}1", "1", true), ("{a}", "a", true),
            ("{[0-9]*,v[0-9]*}.[0-9]*.[0-9]*", "v1.2.3", true), ("{[0-9]*,v[0-9]*}.[0-9]*.[0-9]*", "10.2.3", true),
            ("{a,?}{b,*}", "xyz", true), ("{**,a}", "zz", true), ("{a\\,b,c}", "a,b", true), ("{{},a}b", "b", false),
        ]
    )
    func alternatives(pattern: String, tag: String, isMatch: Bool) throws {
        #expect(try Glob(pattern).matches(tag) == isMatch)
    }

    @Test(
        "take the next character as it is after a backslash",
        arguments: [
            ("\\*", "*", true), ("\\*", "a", false), ("\\[a", "[a", true), ("\\{a,b\\}", "{a,b}", true),
            ("a\\b", "ab", true),
        ]
    )
    func escapes(pattern: String, tag: String, isMatch: Bool) throws {
        #expect(try Glob(pattern).matches(tag) == isMatch)
    }

    @Test(
        "have mistakes that are told",
        arguments: [
            ("[", "unclosed character class; missing ']'"), ("[]", "unclosed character class; missing ']'"),
            ("[!]", "unclosed character class; missing ']'"), ("[a-", "unclosed character class; missing ']'"),
            ("[b-a]", "invalid range; 'b' > 'a'"), ("[z-a", "invalid range; 'z' > 'a'"),
            ("[z--]", "invalid range; 'z' > '-'"),
            ("{a", "unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)"),
            ("{a,{b}", "unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)"),
            ("a}", "unopened alternate group; missing '{' (maybe escape '}' with '[}]'?)"),
            ("{a}}", "unopened alternate group; missing '{' (maybe escape '}' with '[}]'?)"),
            ("a\\", "dangling '\\'"), ("{[}", "unclosed character class; missing ']'"),
        ]
    )
    func mistakes(pattern: String, reason: String) {
        let error = #expect(throws: GlobError.self) { try Glob(pattern) }
        #expect(error?.description == reason)
    }

    @Test("take no longer for a pattern that could match in very many ways")
    func manyWays() throws {
        let pattern = String(repeating: "*{a,a*,*a}", count: 40) + "b"
        #expect(!(try Glob(pattern).matches(String(repeating: "a", count: 128))))
    }

    @Test("are refused rather than followed into any depth")
    func depth() {
        #expect(throws: GlobError.tooDeep) { try Glob(String(repeating: "{", count: 100_000)) }
    }
}
