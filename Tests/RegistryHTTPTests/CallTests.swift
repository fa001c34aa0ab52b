import Locking
import MirrorCore
import OCI
import Testing

@testable import RegistryHTTP

private let digest = Digest(repeating: 0xab)
private let other = Digest(repeating: 0xcd)
private let document = Array(#"{"schemaVersion":2}"#.utf8)

/// One request, and what must come back.
private struct Call: CustomTestStringConvertible, Sendable {
    var method = "GET"
    var target: String
    var headers: [String] = []
    var status: Int
    var expected: [String: String] = [:]
    var code: String?
    var body: String?

    var testDescription: String { "\(method) \(target) \(headers) gives \(status)" }
}

private let calls: [Call] = [
    Call(
        target: "/v2/",
        status: 200,
        expected: ["docker-distribution-api-version": "registry/2.0", "content-type": "application/json"],
        body: "{}"
    ),
    Call(target: "/v2", status: 200, body: "{}"),
    Call(method: "HEAD", target: "/v2/", status: 200, expected: ["content-length": "2"], body: ""),
    Call(target: "/hub/v2/", status: 200, body: "{}"),
    Call(target: "http://mirror/v2/", status: 200, body: "{}"),

    // Manifests.
    Call(
        target: "/v2/library/nginx/manifests/held?ns=docker.io",
        status: 200,
        expected: [
            "content-type": MediaType.ociManifest, "content-length": "\(document.count)",
            "docker-content-digest": "\(digest)", "etag": "\"\(digest)\"", "cache-status": "tidepool; hit",
            "docker-distribution-api-version": "registry/2.0", "oci-namespace": "docker.io",
        ],
        body: String(decoding: document, as: UTF8.self)
    ),
    Call(
        method: "HEAD",
        target: "/v2/library/nginx/manifests/held",
        status: 200,
        expected: [
            "content-type": MediaType.ociManifest, "content-length": "\(document.count)",
            "docker-content-digest": "\(digest)",
        ],
        body: ""
    ),
    Call(
        target: "/v2/library/nginx/manifests/filed",
        status: 200,
        expected: ["content-length": "\(document.count)"],
        body: String(decoding: document, as: UTF8.self)
    ),
    Call(
        target: "/v2/library/nginx/manifests/\(digest)",
        status: 200,
        expected: ["cache-control": "public, max-age=31536000, immutable"]
    ),
    Call(method: "HEAD", target: "/v2/library/nginx/manifests/headonly", status: 200, body: ""),
    Call(
        target: "/v2/library/nginx/manifests/headonly",
        status: 200,
        expected: ["cache-status": "tidepool; fwd=miss; stored"],
        body: String(decoding: document, as: UTF8.self)
    ),
    Call(
        target: "/v2/library/nginx/manifests/stale",
        status: 200,
        expected: ["cache-status": "tidepool; hit; detail=stale"]
    ),
    Call(
        target: "/v2/library/nginx/manifests/revalidated",
        status: 200,
        expected: ["cache-status": "tidepool; fwd=stale; fwd-status=200; detail=revalidated"]
    ),
    Call(target: "/v2/library/nginx/manifests/held", headers: ["If-None-Match: \"\(digest)\""], status: 304, body: ""),
    Call(target: "/v2/library/nginx/manifests/held", headers: ["If-None-Match: W/\"\(digest)\""], status: 304),
    Call(target: "/v2/library/nginx/manifests/held", headers: ["If-None-Match: \(digest)"], status: 304),
    Call(target: "/v2/library/nginx/manifests/held", headers: ["If-None-Match: \"x\", \"\(digest)\""], status: 304),
    Call(target: "/v2/library/nginx/manifests/held", headers: ["If-None-Match: *"], status: 304),
    Call(target: "/v2/library/nginx/manifests/held", headers: ["If-None-Match: \"\(other)\""], status: 200),
    Call(target: "/v2/library/nginx/manifests/held", headers: ["Range: bytes=0-1"], status: 200),

    // Errors of manifests.
    Call(target: "/v2/library/nginx/manifests/none", status: 404, code: "MANIFEST_UNKNOWN"),
    Call(method: "HEAD", target: "/v2/library/nginx/manifests/none", status: 404, body: ""),
    Call(target: "/v2/library/nginx/manifests/.INVALID", status: 404, code: "MANIFEST_UNKNOWN"),
    Call(target: "/v2/library/nginx/manifests/sha256:totallywrong", status: 400, code: "DIGEST_INVALID"),
    Call(target: "/v2/NGINX/manifests/held", status: 400, code: "NAME_INVALID"),
    Call(target: "/v2/nginx/manifests/held?ns=unknown.example", status: 404, code: "NAME_UNKNOWN"),
    Call(target: "/v2/nginx/manifests/denied", status: 403, code: "DENIED"),
    Call(target: "/v2/nginx/manifests/forbidden", status: 403, code: "DENIED"),
    Call(
        target: "/v2/nginx/manifests/limited",
        status: 503,
        expected: ["retry-after": "60"],
        code: "TOOMANYREQUESTS"
    ),
    Call(
        target: "/v2/nginx/manifests/unavailable",
        status: 503,
        expected: ["retry-after": "3", "cache-status": "tidepool; detail=unavailable"],
        code: "UNAVAILABLE"
    ),
    Call(target: "/v2/nginx/manifests/corrupt", status: 502, code: "UNKNOWN"),
    Call(target: "/v2/nginx/manifests/slow", status: 503, expected: ["retry-after": "2"], code: "UNAVAILABLE"),
    Call(target: "/v2/nginx/manifests/closing", status: 503, expected: ["connection": "close"], code: "UNAVAILABLE"),

    // Tags, referrers.
    Call(
        target: "/v2/docker.io/library/nginx/tags/list",
        status: 200,
        expected: ["content-type": "application/json"],
        body: #"{"name":"docker.io/library/nginx","tags":["1.0","1.1","latest"]}"#
    ),
    Call(
        target: "/v2/nginx/tags/list?n=2&ns=docker.io",
        status: 200,
        expected: ["link": "</v2/nginx/tags/list?n=2&last=1.1&ns=docker.io>; rel=\"next\""],
        body: #"{"name":"nginx","tags":["1.0","1.1"]}"#
    ),
    Call(target: "/v2/nginx/tags/list?n=2&last=1.1", status: 200, body: #"{"name":"nginx","tags":["latest"]}"#),
    Call(target: "/v2/nginx/tags/list?n=0", status: 200, body: #"{"name":"nginx","tags":[]}"#),
    Call(target: "/v2/nginx/tags/list?n=abc", status: 400, code: "PAGINATION_NUMBER_INVALID"),
    Call(
        target: "/v2/nginx/referrers/\(digest)?artifactType=a/b",
        status: 200,
        expected: ["content-type": MediaType.ociIndex, "oci-filters-applied": "artifactType"],
        body: "{}"
    ),
    Call(target: "/v2/nginx/referrers/latest", status: 400, code: "DIGEST_INVALID"),

    // What is not there, and what is not allowed.
    Call(target: "/v2/_catalog", status: 404, code: "UNSUPPORTED"),
    Call(target: "/v1/search", status: 404, code: "UNSUPPORTED"),
    Call(
        method: "POST",
        target: "/v2/nginx/blobs/uploads/",
        status: 405,
        expected: ["allow": "GET, HEAD"],
        code: "UNSUPPORTED"
    ),
    Call(method: "DELETE", target: "/v2/nginx/manifests/held", status: 405, code: "UNSUPPORTED"),
    Call(method: "OPTIONS", target: "*", status: 405, code: "UNSUPPORTED"),
    Call(method: "TRACE", target: "/v2/", status: 405, code: "UNSUPPORTED"),
    Call(
        target: "/v2/nginx/manifests/held",
        headers: ["Via: 1.1 other, 1.1 tidepool-test-instance (tidepool)"],
        status: 508,
        code: "UNAVAILABLE"
    ),
    Call(target: "/v2/nginx/manifests/held", headers: ["Via: 1.1 tidepool-another"], status: 200),
    Call(target: "/v2/", headers: ["X-Request-Id: abc-1"], status: 200, expected: ["x-request-id": "abc-1"]),

    // For people and probes.
    Call(target: "/healthz", status: 200, body: "ok\n"),
    Call(target: "/readyz", status: 200, body: "ready\n"),
    Call(target: "/", status: 200, expected: ["content-type": "text/html; charset=utf-8"]),
]

@Suite("Calls of the registry API", .timeLimit(.minutes(1)))
struct CallTests {
    @Test("each call gets its status, headers and body")
    func table() async throws {
        try await withServer { live in
            try script(live.registry)
            for call in calls {
                let response = try await live.request(call.target, method: call.method, headers: call.headers)
                check(response, call)
            }
        }
    }

    @Test("all calls are answered the same on one connection")
    func keepAlive() async throws {
        try await withServer { live in
            try script(live.registry)
            let client = try await RawClient(live.address)
            for call in calls where call.expected["connection"] == nil {
                let lines = ["\(call.method) \(call.target) HTTP/1.1", "Host: mirror"] + call.headers
                try await client.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
                check(try await client.response(toHead: call.method == "HEAD"), call)
            }
        }
    }

    @Test("HEAD has the headers of GET", arguments: ["held", "filed", "none", "\(digest)"])
    func headEqualsGet(reference: String) async throws {
        try await withServer { live in
            try script(live.registry)
            let target = "/v2/library/nginx/manifests/\(reference)"
            let id = ["X-Request-Id: same"]
            let get = try await live.request(target, headers: id)
            let head = try await live.request(target, method: "HEAD", headers: id)
            #expect(head.status == get.status)
            #expect(
                head.headers.filter { $0.name != "date" }.map(\.value)
                    == get.headers.filter { $0.name != "date" }.map(\.value)
            )
        }
    }

    @Test("a stale answer says so in two warnings")
    func staleWarnings() async throws {
        try await withServer { live in
            try script(live.registry)
            let response = try await live.request("/v2/library/nginx/manifests/stale")
            #expect(
                response.values("warning") == [
                    "110 - \"Response is Stale\"",
                    "299 - \"tidepool: stale, last checked Sun, 06 Nov 1994 08:49:37 GMT\"",
                ]
            )
        }
    }

    @Test("nothing ever challenges the client")
    func noChallenge() async throws {
        try await withServer { live in
            try script(live.registry)
            for call in calls {
                let response = try await live.request(call.target, method: call.method, headers: call.headers)
                #expect(response["www-authenticate"] == nil)
            }
        }
    }

    @Test("a request that the router refuses asks the core nothing")
    func refusedEarly() async throws {
        try await withServer { live in
            for target in ["/v2/NGINX/manifests/a", "/v2/a/blobs/latest", "/v2/a%00/manifests/b", "/v2/_catalog"] {
                _ = try await live.request(target)
            }
            _ = try await live.request("/v2/nginx/manifests/latest", method: "PUT")
            #expect(live.registry.calls == [])
        }
    }

    @Test("with when_exhausted 429, a limit is told as what it is")
    func exhausted() async throws {
        try await withServer {
            $0.whenExhausted = .tooManyRequests
        } body: { live in
            try script(live.registry)
            let response = try await live.request("/v2/nginx/manifests/limited")
            #expect(response.status == 429)
            #expect(response.errorCode == "TOOMANYREQUESTS")
        }
    }

    @Test("a limit's message says whose it is, when it ends, and what shows it")
    func limitMessage() async throws {
        try await withServer { live in
            live.registry.script.withLock {
                $0.manifests["soon"] = .failure(.limited(.pull, retryAfter: .seconds(3600)))
                $0.manifests["unknown"] = .failure(.limited(.pull, retryAfter: nil))
            }
            let soon = try await live.request("/v2/nginx/manifests/soon").text
            #expect(soon.contains("Docker Hub's limit") && soon.contains("tidepool quota"), "\(soon)")
            #expect(soon.firstMatch(of: /expected back at [0-2][0-9]:[0-5][0-9] UTC/) != nil, "\(soon)")
            let unknown = try await live.request("/v2/nginx/manifests/unknown")
            #expect(!unknown.text.contains("expected back"), "\(unknown.text)")
            #expect(unknown["retry-after"] == "60")
        }
    }

    @Test("a time of day is told with its date where that is another day")
    func minutes() {
        let now = Int64(784_111_777_000)
        #expect(HTTPTime.minute(of: WallTime(milliseconds: now), now: now) == "08:49 UTC")
        let tomorrow = WallTime(milliseconds: now + 86_400_000)
        #expect(HTTPTime.minute(of: tomorrow, now: now) == "08:49 UTC on 07 Nov")
    }

    @Test(
        "a target in absolute form is answered like its path (RFC 9112, 3.2.2)",
        arguments: [
            ("http://mirror.example/healthz", 200), ("HTTP://mirror.example:5000/v2/", 200),
            ("http://mirror.example", 200), ("https://mirror.example/readyz?x=y", 200), ("ftp://a/healthz", 400),
        ]
    )
    func absoluteForm(target: String, status: Int) async throws {
        try await withServer { live async throws in
            #expect(try await live.request(target).status == status)
        }
    }

    @Test("a core that does not answer is answered for")
    func safetyNet() async throws {
        try await withServer {
            $0.answerWithin = .milliseconds(50)
        } body: { live in
            let gate = Gate()
            live.registry.script.withLock { $0.gate = gate }
            let response = try await live.request("/v2/nginx/manifests/latest")
            #expect(response.status == 503)
            gate.open()
        }
    }

    private func check(_ response: RawResponse, _ call: Call) {
        #expect(response.status == call.status, "\(call.testDescription)")
        for (name, value) in call.expected {
            #expect(response[name] == value, "\(name) of \(call.testDescription)")
        }
        #expect(response["x-request-id"] != nil)
        if let code = call.code { #expect(response.errorCode == code, "\(call.testDescription)") }
        if let body = call.body { #expect(response.text == body, "\(call.testDescription)") }
    }

    private func script(_ registry: FakeRegistry) throws {
        func head(_ outcome: CacheOutcome) -> ManifestHead {
            ManifestHead(digest: digest, mediaType: MediaType.ociManifest, size: document.count, outcome: outcome)
        }
        let file = try TemporaryFile(document)
        let checkedAt = WallTime(milliseconds: 784_111_777_000)
        registry.script.withLock { script in
            script.cachedManifests = [
                "held": .init(head: head(.hit), content: .bytes(document)),
                "\(digest)": .init(head: head(.hit), content: .bytes(document)),
                "filed": .init(head: head(.hit), content: .file(file)),
                "headonly": .init(head: head(.hit), content: .absent),
                "stale": .init(
                    head: head(.stale(reason: "timeout", checkedAt: checkedAt)),
                    content: .bytes(document)
                ),
            ]
            script.manifests = [
                "headonly": .success(ManifestAnswer(head: head(.miss), content: .bytes(document))),
                "revalidated": .success(ManifestAnswer(head: head(.revalidated), content: .bytes(document))),
                "denied": .failure(.denied),
                "forbidden": .failure(.forbidden),
                "limited": .failure(.limited(.pull, retryAfter: .seconds(3600))),
                "unavailable": .failure(.unavailable(reason: "dns", retryAfter: .milliseconds(2500))),
                "corrupt": .failure(.corrupt),
                "slow": .failure(.tooSlow),
                "closing": .failure(.shuttingDown),
            ]
            script.tags = .success(TagsAnswer(tags: ["1.0", "1.1", "latest"], outcome: .hit))
            script.referrers = .success(
                ReferrersDocument(bytes: Array("{}".utf8), isFiltered: true, outcome: .miss)
            )
        }
    }
}
