import MirrorTesting

/// Requests that nobody in good faith sends, by what is wrong with them.
enum HostileRequests {
    struct Attack: Sendable {
        let label: String
        let bytes: String

        /// Whether this is a clean answer: 4xx, or none at all.
        func mayBeAnswered(_ status: Int?) -> Bool {
            guard let status, !(400..<500).contains(status) else { return true }
            switch status {
            case 100: return bytes.contains("Expect: 100-continue")
            case 501, 505: return label.hasPrefix("method") || label.hasPrefix("version")
            // A server must accept absolute-form (RFC 9112, 3.2.2); whose ping it is makes no difference.
            case 200: return bytes.hasPrefix("GET https://evil.example/v2/ ")
            default: return false
            }
        }
    }

    static let all: [Attack] =
        badDigests + badNames + traversals + badTargets + badHeaders + smuggling + bodies + methods + noise(seed: 7)

    private static let digest = String(repeating: "a", count: 64)

    private static func get(_ label: String, _ target: String, _ headers: [String] = [], body: String = "") -> Attack {
        Attack(label: label, bytes: request("GET", target, headers, body))
    }

    private static func request(_ method: String, _ target: String, _ headers: [String], _ body: String = "") -> String
    {
        let lines = ["\(method) \(target) HTTP/1.1", "Host: mirror", "Connection: close"] + headers
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    }

    private static var badDigests: [Attack] {
        let texts = [
            "sha256:", "sha256", "sha256:\(digest.dropLast())", "sha256:\(digest)a", "sha256:\(digest.uppercased())",
            "SHA256:\(digest)", "md5:\(digest.prefix(32))", "sha512:\(digest)", "sha256:\(digest)/../x",
            "sha256:..%2f..%2fetc%2fpasswd", "sha256::\(digest)", ":\(digest)", "sha256:\(digest)%00", "sha256:zz",
            "sha256%3A%3A", "sha256:%ff%fe", "sha256+\(digest)", "blake3:\(digest)", "sha256:\(digest)%0d%0aX:1", "%",
            "sha256:" + String(repeating: "a", count: 5000),
        ]
        return ["blobs", "manifests", "referrers"]
            .flatMap { kind in
                // As a manifest's reference that one is a tag.
                texts.filter { kind != "manifests" || $0 != "sha256" }
                    .map { get("bad digest", "/v2/library/app/\(kind)/\($0)") }
            }
    }

    private static var badNames: [Attack] {
        let names = [
            "UPPER", "a..b", ".a", "a.", "-a", "a-", "a___b", "a//b", "a/./b", "a/../b", "a%2fb/%2e%2e", "a b",
            "a\u{e9}",
            "a%20b", "a%00b", "a:b", "a@b", "~a", "a;b", "a\\b", "_a/b", "a/_b", "a*b", "a$b", "%2e%2e/%2e%2e",
            String(repeating: "a", count: 256), String(repeating: "a/", count: 200) + "a",
        ]
        return names.flatMap { name in
            [
                get("bad name", "/v2/\(name)/manifests/latest"),
                get("bad name", "/v2/\(name)/blobs/sha256:\(digest)"),
            ]
        }
    }

    private static var traversals: [Attack] {
        let paths = [
            "/../../../../etc/passwd", "/v2/../../../etc/passwd", "/v2/..%2f..%2f..%2fetc%2fpasswd",
            "/%2e%2e/%2e%2e/etc",
            "/v2/library/app/blobs/../../../../index/data.mdb", "/v2/library/app/manifests/..%2f..%2ftidepool.lock",
            "/v2/library/app/blobs/sha256:%2e%2e%2f%2e%2e", "/..", "//", "///etc/passwd", "/v2/....//....//etc/passwd",
            "/v2/%c0%ae%c0%ae/manifests/x", "/v2/%252e%252e/manifests/x", "/data/blobs/sha256/aa", "/control.sock",
            "/v2/library/app/tags/list/../../../../../etc/passwd", "/v1/_ping", "/v2/_catalog", "/v2x/", "/v3/",
        ]
        return paths.map { get("traversal", $0) }
    }

    private static var badTargets: [Attack] {
        let digestPath = "/v2/library/app/blobs/sha256:\(digest)"
        return [
            get("absolute URI", "http://169.254.169.254/latest/meta-data/"),
            get("absolute URI", "http://127.0.0.1:22\(digestPath)x"),
            get("absolute URI", "https://evil.example/v2/"),
            get("absolute URI", "file:///etc/passwd"),
            get("no slash", "v2/library/app/manifests/latest"),
            get("asterisk", "*"),
            get("empty", ""),
            get("foreign ns", "/v2/library/app/manifests/latest?ns=evil.example"),
            get("foreign ns", "/v2/library/app/manifests/latest?ns=127.0.0.1:22"),
            get("foreign ns", "/v2/library/app/manifests/latest?ns=169.254.169.254"),
            get("foreign ns", "/v2/library/app/manifests/latest?ns=docker.io@evil.example"),
            get("foreign ns", "/v2/library/app/manifests/latest?ns=%0d%0aHost:evil"),
            get("foreign ns", "/v2/library/app/manifests/latest?ns=../../x"),
            get("two ns", "/v2/library/app/manifests/latest?ns=evil.example&ns=docker.io"),
            get("long target", "/v2/" + String(repeating: "a", count: 70_000) + "/manifests/latest"),
            get("long query", "/v2/library/UPPER/manifests/latest?" + String(repeating: "a=b&", count: 20_000)),
            get("bad tag", "/v2/library/app/manifests/-x"),
            get("bad tag", "/v2/library/app/manifests/" + String(repeating: "t", count: 129)),
            get("bad tag", "/v2/library/app/manifests/a%2fb"),
            get("bad number", "/v2/library/app/tags/list?n=-1"),
            get("bad number", "/v2/library/app/tags/list?n=99999999999999999999"),
        ]
    }

    private static var badHeaders: [Attack] {
        let target = "/v2/library/UPPER/manifests/latest"
        var attacks = [
            get("huge header", target, ["X-A: " + String(repeating: "a", count: 100_000)]),
            get("many headers", target, (0..<2000).map { "X-\($0): \($0)" }),
            get("same header often", target, Array(repeating: "Accept: */*", count: 3000)),
            get("empty header name", target, [": x"]),
            get("space before colon", target, ["Accept : x"]),
            get("folded header", target, ["X-A: a", " b"]),
            get("bare CR", target, ["X-A: a\rb"]),
            get("NUL", target, ["X-A: a\0b"]),
            get("control byte", target, ["X-A: a\u{1}b"]),
            get("two hosts", target, ["Host: other"]),
            get("bad range", target, ["Range: bytes=" + String(repeating: "0-1,", count: 5000) + "0-1"]),
            get("bad condition", target, ["If-None-Match: " + String(repeating: "\"x\",", count: 5000)]),
            get("bad header name", target, ["X(A): 1"]),
            get("no colon", target, ["nonsense"]),
        ]
        attacks += ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3", "HTTP/", "http/1.1", "XTTP/1.1", ""]
            .map {
                Attack(
                    label: "version \($0)",
                    bytes: "GET \(target) \($0)\r\nHost: mirror\r\nConnection: close\r\n\r\n"
                )
            }
        attacks.append(Attack(label: "no host", bytes: "GET \(target) HTTP/1.1\r\nConnection: close\r\n\r\n"))
        attacks.append(Attack(label: "HTTP/2 preface", bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
        attacks.append(
            Attack(label: "TLS on a plain port", bytes: "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}")
        )
        attacks.append(Attack(label: "bare LF", bytes: "GET \(target) HTTP/1.1\nHost: mirror\nConnection: close\n\n"))
        return attacks
    }

    private static var smuggling: [Attack] {
        let target = "/v2/library/UPPER/manifests/latest"
        let headers: [[String]] = [
            ["Transfer-Encoding: chunked", "Content-Length: 4"], ["Content-Length: 4", "Content-Length: 5"],
            ["Transfer-Encoding: xchunked"], ["Transfer-Encoding: chunked, identity"], ["Transfer-Encoding : chunked"],
            ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], ["Transfer-Encoding: \u{b}chunked"],
            ["Content-Length: -1"], ["Content-Length: +5"], ["Content-Length: 0x10"], ["Content-Length: 1e3"],
            ["Content-Length: 99999999999999999999"], ["Content-Length: 5, 5"], ["Content-Length:"],
            ["Content-Length: abc"],
            ["Transfer-Encoding: gzip, chunked"], ["Expect: 100-continue", "Content-Length: 10"], ["Upgrade: h2c"],
            ["Upgrade: websocket", "Connection: Upgrade"], ["TE: trailers, deflate;q=0.5"], ["Trailer: Content-Length"],
        ]
        return ["GET", "HEAD", "POST"]
            .flatMap { method in
                headers.map { lines in
                    Attack(
                        label: "\(method) with \(lines)",
                        bytes: request(method, target, lines, "5\r\nhello\r\n0\r\n\r\n")
                    )
                }
            }
    }

    private static var bodies: [Attack] {
        let target = "/v2/library/UPPER/manifests/latest"
        let large = String(repeating: "x", count: 200_000)
        return [
            get("body on GET", target, ["Content-Length: 5"], body: "hello"),
            get("large body on GET", target, ["Content-Length: \(large.utf8.count)"], body: large),
            get(
                "endless chunks",
                target,
                ["Transfer-Encoding: chunked"],
                body: String(repeating: "5\r\nhello\r\n", count: 9000)
            ),
            get("bad chunk size", target, ["Transfer-Encoding: chunked"], body: "zz\r\nhello\r\n"),
            get("huge chunk size", target, ["Transfer-Encoding: chunked"], body: "fffffffffffffffff\r\n"),
            get("chunk extension", target, ["Transfer-Encoding: chunked"], body: "5;\(large)\r\nhello\r\n0\r\n\r\n"),
        ]
    }

    private static var methods: [Attack] {
        [
            "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "G",
            "GETGETGETGETGETGETGETGET",
        ]
        .flatMap { method in
            ["/v2/library/app/manifests/latest", "/v2/library/app/blobs/uploads/", "/v2/"]
                .map {
                    Attack(label: "method \(method)", bytes: request(method, $0, ["Content-Length: 0"]))
                }
        }
    }

    /// Random printable nonsense, and the beginnings of requests with nonsense in the middle.
    private static func noise(seed: UInt64) -> [Attack] {
        var random = SeededRandom(seed: seed)
        return (0..<60)
            .map { number in
                let length = Int.random(in: 1...400, using: &random)
                let text = String(decoding: random.bytes(length).map { $0 % 95 + 32 }, as: UTF8.self)
                let bytes = number.isMultiple(of: 2) ? text + "\r\n\r\n" : "GET /v2/\(text) HTTP/1.1\r\nHost: m\r\n\r\n"
                return Attack(label: "noise \(number)", bytes: bytes)
            }
    }
}
