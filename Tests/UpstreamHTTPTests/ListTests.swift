import HTTPTesting
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

@Suite("Tag lists", .timeLimit(.minutes(1)))
struct TagListTests {
    static let first = "/v2/library/nginx/tags/list?n=1000"

    @Test(
        "are followed to their end",
        arguments: [
            #"</v2/library/nginx/tags/list?n=2&last=b>; rel="next""#,
            "</v2/library/nginx/tags/list?n=2&last=b>;rel=next",
            #"<HOST/v2/library/nginx/tags/list?n=2&last=b>; rel="next""#,
            #"</first>; rel="first", </v2/library/nginx/tags/list?n=2&last=b>; title="a,b"; rel="next""#,
            #"<list?n=2&last=b>; REL="NEXT""#,
        ]
    )
    func pages(link: String) async throws {
        let server = LoopbackServer { request in
            let link = link.replacing("HOST", with: "http://\(request["Host"] ?? "")")
            return request.target == Self.first
                ? .text(200, ["Link": link], #"{"name":"library/nginx","tags":["b","a"]}"#)
                : .text(200, [:], #"{"tags":["c"]}"#)
        }
        #expect(try await Subject(server.url("")).upstream.tags(in: repository) == ["b", "a", "c"])
        #expect(server.requests.map(\.target) == [Self.first, "/v2/library/nginx/tags/list?n=2&last=b"])
    }

    @Test("an opaque next page is asked for as it is")
    func opaque() async throws {
        let server = LoopbackServer { request in
            request.target == Self.first
                ? .text(200, ["Link": #"</v2/x?next_page=gAA%2Bb%3D>; rel="next""#], #"{"tags":["a"]}"#)
                : .text(200, [:], #"{"tags":["b"]}"#)
        }
        _ = try await Subject(server.url("")).upstream.tags(in: repository)
        #expect(server.requests.last?.target == "/v2/x?next_page=gAA%2Bb%3D")
    }

    @Test("may be empty", arguments: [#"{"tags":null}"#, #"{"tags":[]}"#, "{}"])
    func empty(body: String) async throws {
        let server = LoopbackServer { _ in .text(200, [:], body) }
        #expect(try await Subject(server.url("")).upstream.tags(in: repository).isEmpty)
    }

    @Test(
        "that lead astray are not followed",
        arguments: [
            ("<http://localhost/v2/x>; rel=next", "a next page on another host"),
            ("<\(first)>; rel=next", "a list whose next page is itself"),
        ]
    )
    func astray(link: String, reason: String) async throws {
        let server = LoopbackServer { _ in .text(200, ["Link": link], "{}") }
        let subject = try Subject(server.url(""))
        await #expect(throws: UpstreamError.unusable(reason)) { try await subject.upstream.tags(in: repository) }
        #expect(server.requests.count == 1)
    }

    @Test("that never end are given up")
    func endless() async throws {
        let server = LoopbackServer { request in
            .text(200, ["Link": "<\(request.target)1>; rel=next"], #"{"tags":["a"]}"#)
        }
        let subject = try Subject(server.url(""))
        await #expect(throws: UpstreamError.unusable("a list of more than 200 pages")) {
            try await subject.upstream.tags(in: repository)
        }
        #expect(server.requests.count == 200)
    }

    @Test("that are too large as a whole are given up")
    func tooLarge() async throws {
        let page = #"{"tags":["\#(String(repeating: "a", count: 3 << 20))"]}"#
        let server = LoopbackServer { .text(200, ["Link": "<\($0.target)1>; rel=next"], page) }
        let subject = try Subject(server.url(""))
        await #expect(throws: UpstreamError.unusable("a list that is too large")) {
            try await subject.upstream.tags(in: repository)
        }
        #expect(server.requests.count == 6)
    }

    @Test("a failure on any page is a failure")
    func laterFailure() async throws {
        let server = LoopbackServer { request in
            request.target == Self.first ? .text(200, ["Link": "<?n=2>; rel=next"], "{}") : .reply(503)
        }
        let subject = try Subject(server.url(""))
        await #expect(throws: UpstreamError.unavailable(.status(503))) {
            try await subject.upstream.tags(in: repository)
        }
    }
}

@Suite("Referrers", .timeLimit(.minutes(1)))
struct ReferrersTests {
    static let index = ["Content-Type": MediaType.ociIndex]

    @Test("come page by page, byte for byte")
    func pages() async throws {
        let server = LoopbackServer { request in
            request.target.contains("?")
                ? .text(200, Self.index, "{ }")
                : .text(200, Self.index.merging(["Link": "<?p=2>; rel=next"]) { $1 }, "{}")
        }
        let answer = try await Subject(server.url("")).upstream.referrers(of: digest, in: repository)
        #expect(answer == .pages([Array("{}".utf8), Array("{ }".utf8)]))
        #expect(server.requests.first?.line == "GET /v2/library/nginx/referrers/\(digest)")
    }

    @Test(
        "are unsupported where the answer is another",
        arguments: [
            Response.reply(404), .reply(400), .reply(405), .reply(406), .reply(501),
            .text(200, ["Content-Type": "text/html"], "<html>"),
            .text(200, ["Content-Type": "application/vnd.oci.image.index.v1+json; charset=utf-8"], "{}"),
            .reply(200), .reply(303, ["Location": "http://localhost/-/v2/packages"]),
        ]
    )
    func unsupported(response: Response) async throws {
        let server = LoopbackServer { _ in response }
        let answer = try await Subject(server.url("")).upstream.referrers(of: digest, in: repository)
        #expect(answer == .unsupported)
        #expect(server.requests.count == 1)
    }

    @Test(
        "a failure is not an absence",
        arguments: [(401, UpstreamError.denied), (403, .denied), (500, .unavailable(.status(500)))]
    )
    func failures(status: Int, expected: UpstreamError) async throws {
        let server = LoopbackServer { _ in .reply(status) }
        let subject = try Subject(server.url(""))
        await #expect(throws: expected) { try await subject.upstream.referrers(of: digest, in: repository) }
    }
}
