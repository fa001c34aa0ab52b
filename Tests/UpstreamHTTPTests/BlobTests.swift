import HTTPTesting
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

@Suite("Blobs", .timeLimit(.minutes(1)))
struct BlobTests {
    static let path = "/v2/library/nginx/blobs/\(digest)"

    @Test("are streamed whole, with their length told first")
    func whole() async throws {
        let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) }
        let server = LoopbackServer { _ in .reply(200, body: body) }
        let subject = try Subject(server.url(""))
        let blob = try await subject.blob()
        #expect(blob.head == BlobHead(offset: 0, length: 3_000_000))
        #expect(blob.bytes == body)
        #expect(server.requests.map(\.line) == ["GET \(Self.path)"])
        #expect(server.requests.first?["Range"] == nil)
        #expect(subject.metrics.value(of: .upstreamReceivedBytes, "registry.example") == 3_000_000)
    }

    @Test("go on from an offset")
    func resumed() async throws {
        let server = LoopbackServer { _ in .reply(206, ["Content-Range": "bytes 3-4/5"], body: [4, 5]) }
        let blob = try await Subject(server.url("")).blob(from: 3)
        #expect(blob.head == BlobHead(offset: 3, length: 5))
        #expect(blob.bytes == [4, 5])
        #expect(server.requests.first?["Range"] == "bytes=3-")
    }

    @Test("start over when the range is ignored")
    func rangeIgnored() async throws {
        let server = LoopbackServer { _ in .reply(200, body: [1, 2, 3]) }
        let blob = try await Subject(server.url("")).blob(from: 2)
        #expect(blob.head == BlobHead(offset: 0, length: 3))
        #expect(blob.bytes == [1, 2, 3])
    }

    @Test("of unknown length say so")
    func chunked() async throws {
        let server = LoopbackServer { _ in
            .raw(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n".utf8))
        }
        let blob = try await Subject(server.url("")).blob()
        #expect(blob.head == BlobHead(offset: 0, length: nil))
        #expect(blob.bytes == Array("ab".utf8))
    }

    @Test(
        "that come wrong fail",
        arguments: [
            (Response.truncated(length: 5, body: [1]), UpstreamError.unavailable(.truncated)),
            (.reply(206, ["Content-Range": "bytes 0-1/5"], body: [1, 2]), .unusable("a range that was not asked for")),
            (
                .reply(206, ["Content-Range": "bytes 2-3/9223372036854775807"], body: [1, 2]),
                .unusable("a range that was not asked for")
            ),
            (.reply(206, [:], body: [1, 2]), .unusable("a range that was not asked for")),
            (.reply(206, ["Content-Range": "bytes 2-3/9"], body: [1, 2]), .unavailable(.truncated)),
            (
                .reply(206, ["Content-Range": "bytes 2-3/4", "Content-Length": "3"], body: [1, 2, 3]),
                .unusable("a blob longer than its head said")
            ),
            (.reply(416), .unusable("the range was refused")), (.reply(404), .notFound), (.reply(403), .denied),
            (.reply(502), .unavailable(.status(502))),
        ]
    )
    func failures(response: Response, expected: UpstreamError) async throws {
        let server = LoopbackServer { _ in response }
        let subject = try Subject(server.url(""))
        await #expect(throws: expected) { try await subject.blob(from: 2) }
    }

    @Test("that stall fail")
    func stalls() async throws {
        let server = LoopbackServer { _ in .stall(after: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc") }
        let subject = try Subject(server.url("")) { $0.timeouts.stall = .milliseconds(200) }
        await #expect(throws: UpstreamError.unavailable(.timeout)) { try await subject.blob() }
    }

    @Test("a sink that refuses ends the transfer")
    func refused() async throws {
        final class Refusing: BlobSink {
            func begin(_ head: BlobHead) -> Bool { false }
            func receive(_ bytes: Span<UInt8>) -> BlobIntake { .refused }
        }
        let server = LoopbackServer { _ in .reply(200, body: [1]) }
        let subject = try Subject(server.url(""))
        await #expect(throws: UpstreamError.refusedBySink) {
            try await subject.upstream.blob(digest, in: repository, from: 0, into: Refusing())
        }
    }

    @Test("their length is told by a HEAD")
    func head() async throws {
        let server = LoopbackServer { _ in .reply(200, ["Content-Length": "77"]) }
        #expect(try await Subject(server.url("")).upstream.headBlob(digest, in: repository) == 77)
        #expect(server.requests.map(\.line) == ["HEAD \(Self.path)"])
    }

    @Test("where HEADs are refused, by a GET of one byte; and from then on at once", arguments: [401, 403, 405, 501])
    func headRefused(status: Int) async throws {
        let server = LoopbackServer { request in
            request.method == "HEAD" ? .reply(status) : .reply(206, ["Content-Range": "bytes 0-0/77"], body: [1])
        }
        let subject = try Subject(server.url(""))
        for _ in 0..<2 { #expect(try await subject.upstream.headBlob(digest, in: repository) == 77) }
        #expect(server.requests.map(\.method) == ["HEAD", "GET", "GET"])
        #expect(server.requests.map { $0["Range"] } == [nil, "bytes=0-0", "bytes=0-0"])
    }

    @Test("a GET for the length reads no body, however much there is")
    func headByWholeGet() async throws {
        let server = LoopbackServer { request in
            request.method == "HEAD" ? .reply(405) : .reply(200, body: [UInt8](repeating: 0, count: 5_000_000))
        }
        let subject = try Subject(server.url(""))
        #expect(try await subject.upstream.headBlob(digest, in: repository) == 5_000_000)
        #expect(subject.metrics.value(of: .upstreamReceivedBytes, "registry.example") == 0)
    }

    @Test("a blob that is denied to both is denied, and HEADs are tried again")
    func headDenied() async throws {
        let server = LoopbackServer { _ in .reply(403) }
        let subject = try Subject(server.url(""))
        for _ in 0..<2 {
            await #expect(throws: UpstreamError.denied) { try await subject.upstream.headBlob(digest, in: repository) }
        }
        #expect(server.requests.map(\.method) == ["HEAD", "GET", "HEAD", "GET"])
    }
}
