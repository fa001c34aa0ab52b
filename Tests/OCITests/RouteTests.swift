import Testing

@testable import OCI

private let hex = String(repeating: "ab", count: 32)

private func route(_ target: String) throws(RouteError) -> Route {
    try Route(RequestTarget(target))
}

@Suite("Routes of the registry API")
struct RouteTests {
    private let digest: Digest
    private let latest: Reference

    init() throws {
        digest = try Digest("sha256:\(hex)")
        latest = try Reference("latest")
    }

    @Test("the ping is known with and without its slash, and behind a prefix", arguments: ["/v2", "/v2/", "/v2/?ns=x"])
    func ping(target: String) throws {
        #expect(try route(target).endpoint == .ping)
        #expect(try route("/hub" + target).endpoint == .ping)
        #expect(try route("/hub" + target).prefix == "hub")
    }

    @Test("each shape of path gives the same endpoint, its prefix where the client put it")
    func shapes() throws {
        #expect(
            try route("/v2/library/nginx/manifests/latest?ns=docker.io")
                == Route(endpoint: .manifest(latest), path: "library/nginx", namespace: "docker.io")
        )
        #expect(
            try route("/hub/v2/library/nginx/manifests/latest")
                == Route(endpoint: .manifest(latest), path: "library/nginx", prefix: "hub")
        )
        #expect(
            try route("/mirrors/ghcr.io/v2/org/app/manifests/latest")
                == Route(endpoint: .manifest(latest), path: "org/app", prefix: "mirrors/ghcr.io")
        )
        #expect(
            try route("/v2/ghcr.io/org/app/manifests/latest")
                == Route(endpoint: .manifest(latest), path: "ghcr.io/org/app")
        )
        #expect(
            try route("/dockerhub/nginx/manifests/latest")
                == Route(endpoint: .manifest(latest), path: "dockerhub/nginx")
        )
        #expect(try route("/v2/a/v2/b/manifests/latest").path == "a/v2/b")
        #expect(try route("/v2/manifests/manifests/latest").path == "manifests")
        #expect(try route("/v2/tags/list/tags/list").path == "tags/list")
    }

    @Test("a target with a scheme is read by its path", arguments: ["http://any.example:1", "HTTPS://any.example"])
    func absoluteForm(origin: String) throws {
        #expect(try route(origin + "/v2/nginx/manifests/latest").endpoint == .manifest(latest))
        #expect(throws: RouteError.notFound) { try route(origin) }
    }

    @Test("references are tags or digests, percent-encoded or not")
    func references() throws {
        #expect(try route("/v2/nginx/manifests/sha256:\(hex)").endpoint == .manifest(.digest(digest)))
        #expect(try route("/v2/nginx/manifests/sha256%3A\(hex)").endpoint == .manifest(.digest(digest)))
        #expect(try route("/v2/nginx/blobs/sha256%3a\(hex)").endpoint == .blob(digest))
        #expect(try route("/v2/n%67inx/manifests/latest").path == "nginx")
    }

    @Test("referrers and tag lists carry their parameters")
    func parameters() throws {
        #expect(
            try route("/v2/nginx/referrers/sha256:\(hex)?artifactType=application/vnd.x%2Bjson&ns=quay.io")
                == Route(
                    endpoint: .referrers(digest, artifactType: "application/vnd.x+json"),
                    path: "nginx",
                    namespace: "quay.io"
                )
        )
        #expect(
            try route("/v2/nginx/referrers/sha256:\(hex)?artifactType=a/b+c").endpoint
                == .referrers(digest, artifactType: "a/b+c")
        )
        #expect(
            try route("/v2/nginx/tags/list?n=10&last=1.0").endpoint == .tags(TagPage(limit: 10, last: "1.0"))
        )
        #expect(try route("/v2/nginx/tags/list?n=&last=").endpoint == .tags(TagPage()))
    }

    @Test(
        "a page size that is not a number is refused",
        arguments: ["abc", "-1", "+1", "1.5", "99999999999999999999", "0x10"]
    )
    func pageSizes(text: String) {
        #expect(throws: RouteError.pageSizeInvalid) { try route("/v2/nginx/tags/list?n=\(text)") }
    }

    @Test(
        "bad references are told apart: no such tag, no such digest",
        arguments: [
            ("/v2/nginx/manifests/.INVALID_MANIFEST_NAME", .tagInvalid),
            ("/v2/nginx/manifests/-x", .tagInvalid),
            ("/v2/nginx/manifests/\(String(repeating: "a", count: 129))", .tagInvalid),
            ("/v2/nginx/manifests/sha256:totallywrong", .digestInvalid),
            ("/v2/nginx/manifests/sha256:\(hex.uppercased())", .digestInvalid),
            ("/v2/nginx/manifests/md5:\(hex)", .digestInvalid),
            ("/v2/nginx/blobs/latest", .digestInvalid),
            ("/v2/nginx/blobs/sha256:\(hex)0", .digestInvalid),
            ("/v2/nginx/referrers/sha256:", .digestInvalid),
        ] as [(String, RouteError)]
    )
    func badReferences(target: String, expected: RouteError) {
        #expect(throws: expected) { try route(target) }
    }

    @Test(
        "names outside the grammar are refused",
        arguments: [
            "/v2/NGINX/manifests/latest", "/v2/-a/manifests/latest", "/v2/a_/manifests/latest",
            "/v2/a..b/manifests/latest", "/v2/../manifests/latest", "/v2/a/../b/manifests/latest",
            "/v2/a/%2e%2e/b/manifests/latest", "/v2//a/manifests/latest", "/v2/a//b/manifests/latest",
            "/v2/./a/manifests/latest", "/v2/host:5000/a/manifests/latest", "/Hub/v2/a/manifests/latest",
            "/v2/a\\b/manifests/latest", "/v2/\(String(repeating: "a", count: 256))/manifests/latest",
            "/../v2/a/manifests/latest", "//v2/a/manifests/latest",
        ]
    )
    func badNames(target: String) {
        #expect(throws: RouteError.nameInvalid) { try route(target) }
    }

    @Test(
        "what is no endpoint is not found",
        arguments: [
            "/", "/v1/", "/v2/_catalog", "/v2/nginx", "/v2/nginx/", "/v2/nginx/manifests", "/v2/nginx/manifests/",
            "/v2/manifests/latest", "/v2/nginx/tags", "/v2/nginx/tags/other", "/v2/nginx/tags/list/",
            "/v2/nginx/blobs/uploads/", "/v2/nginx/blobs/uploads/1234", "/manifests/latest", "/a/manifests/latest",
            "/v3/nginx/some/latest", "/favicon.ico",
        ]
    )
    func notFound(target: String) {
        #expect(throws: RouteError.notFound) { try route(target) }
    }

    @Test(
        "targets that are not clean URIs are malformed",
        arguments: [
            "", "*", "v2/", "example.com:443", "ftp://h/v2/", "/v2/%", "/v2/%4", "/v2/%zz/manifests/a", "/v2/a%00/x",
            "/v2/a%0d%0a/manifests/x", "/v2/a%2fb/manifests/x", "/v2/a%7f/manifests/x", "/v2/a b/manifests/x",
            "/v2/\u{e9}/manifests/x", "/v2/%c3%a9/manifests/x", "/v2/a#b", "/v2/?ns=%0a", "/v2/?ns=%", "/v2/\u{1}",
        ]
    )
    func malformed(target: String) {
        #expect(throws: RouteError.malformed) { try route(target) }
    }

    @Test("a double escape is decoded once only")
    func doubleEscape() {
        #expect(throws: RouteError.nameInvalid) { try route("/v2/a%252e/manifests/latest") }
    }
}

@Suite("Pages of a tag list")
struct TagPageTests {
    private let tags = ["1.0", "1.1", "2.0", "latest"]

    @Test("the page begins after the last tag that the client has, which need not exist")
    func last() {
        #expect(TagPage(last: "1.1").page(of: tags).tags == ["2.0", "latest"])
        #expect(TagPage(last: "1.5").page(of: tags).tags == ["2.0", "latest"])
        #expect(TagPage(last: "zzz").page(of: tags).tags == [])
    }

    @Test("there is more only when tags are left after a page that is not empty")
    func more() {
        #expect(TagPage(limit: 3).page(of: tags) == (["1.0", "1.1", "2.0"], true))
        #expect(TagPage(limit: 4).page(of: tags) == (tags[...], false))
        #expect(TagPage(limit: 0).page(of: tags) == ([], false))
        #expect(TagPage().page(of: tags) == (tags[...], false))
    }

    @Test("the order is that of bytes, not of any language")
    func order() {
        #expect(TagPage(last: "Z").page(of: ["A", "Z", "_", "a"]).tags == ["_", "a"])
    }
}
