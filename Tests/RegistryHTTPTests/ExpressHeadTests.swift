import NIOHTTP1
import Testing

@testable import RegistryHTTP

@Suite("Heads for the express lane")
struct ExpressHeadTests {
    private static let line = "GET /v2/a/manifests/b HTTP/1.1\r\n"
    private static let usual = line + "Host: m\r\nConnection: close\r\n"

    private func read(_ text: String, _ limits: RegistryServer.Limits = .init()) -> ExpressHead? {
        ExpressHead(Array(text.utf8)[...], limits)
    }

    @Test(
        "one plain read that closes the connection is one, whatever else it says",
        arguments: [
            usual + "\r\n",
            line + "HOST:m\r\nconnection:CLOSE\r\n\r\n",
            line + "Connection: \t Close \t\r\nHost:\r\n\r\n",
            usual + "User-Agent: docker/20.10 go/go1.18 (linux; \"amd64\")\r\nAccept: */*\r\nAccept: a/b\r\n\r\n",
            usual + "Authorization: Bearer x\r\nX-Empty:\r\n!#$%&'*+-.^_`|~09: y\r\n\r\n",
        ]
    )
    func plain(text: String) throws {
        let head = try #require(read(text))
        #expect(head.method == .GET)
        #expect(String(decoding: head.target, as: UTF8.self) == "/v2/a/manifests/b")
        #expect(head.requestID == nil)
    }

    @Test("the method, and the first name that the client gives the request, are found")
    func parts() throws {
        let text =
            "HEAD /?n=1 HTTP/1.1\r\nX-Request-Id:  one \r\nHost: m\r\nx-request-id: two\r\nConnection: close\r\n\r\n"
        let head = try #require(read(text))
        #expect(head.method == .HEAD)
        #expect(head.requestID.map { String(decoding: $0, as: UTF8.self) } == "one")
    }

    @Test(
        "everything else is none",
        arguments: [
            "", "GET", usual, usual + "\r", String(usual.dropLast(2)),
            usual + "\r\nG", usual + "\r\n\r\n", usual + "\r\n" + usual + "\r\n", "\r\n" + usual + "\r\n",
            // The request line.
            "get /a HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "POST /a HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET  /a HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET\t/a HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET /a  HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET /a\u{e9} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET /a\u{0} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET a HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET http://m/a HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET /a HTTP/1.0\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET /a HTTP/1.10\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET /a http/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
            "GET /a\r\nHost: m\r\nConnection: close\r\n\r\n",
            // Line ends.
            "GET /a HTTP/1.1\nHost: m\nConnection: close\n\n",
            usual + "X: y\n\r\n", usual + "X: y\r\r\n", usual + "X: a\rb\r\n\r\n", usual + "X: a\nb\r\n\r\n",
            usual + "\n", usual + "X: y\r\n\n",
            // Header lines.
            usual + "X : y\r\n\r\n", usual + " X: y\r\n\r\n", usual + "X: a\r\n b\r\n\r\n",
            usual + "X: a\r\n\tb\r\n\r\n",
            usual + ": y\r\n\r\n", usual + "X\r\n\r\n", usual + "X(: y\r\n\r\n", usual + "X\u{e9}: y\r\n\r\n",
            usual + "X: a\u{0}b\r\n\r\n", usual + "X: a\u{7f}\r\n\r\n", usual + "X: \u{e9}\r\n\r\n",
            // Whose, and for how long.
            line + "Connection: close\r\n\r\n", usual + "Host: m\r\n\r\n", usual + "hOST: other\r\n\r\n",
            line + "Host: m\r\n\r\n", usual + "Connection: close\r\n\r\n", usual + "Connection: upgrade\r\n\r\n",
            line + "Host: m\r\nConnection: keep-alive\r\n\r\n", line + "Host: m\r\nConnection: close, te\r\n\r\n",
            line + "Host: m\r\nConnection:\r\n\r\n", line + "Host: m\r\nConnection: closed\r\n\r\n",
            // What asks for something else.
            usual + "Range: bytes=0-1\r\n\r\n", usual + "If-None-Match: \"a\"\r\n\r\n",
            usual + "if-range: \"a\"\r\n\r\n",
            usual + "Content-Length: 0\r\n\r\n", usual + "Transfer-Encoding: chunked\r\n\r\n",
            usual + "Expect: 100-continue\r\n\r\n", usual + "Upgrade: h2c\r\n\r\n", usual + "VIA: 1.1 x\r\n\r\n",
        ]
    )
    func others(text: String) {
        #expect(read(text) == nil)
    }

    @Test("what is above a limit is none, what just keeps to it is")
    func limits() {
        let text = Self.usual + "\r\n"
        var limits = RegistryServer.Limits()
        limits.headerBytes = text.utf8.count
        limits.headerCount = 2
        limits.uriBytes = "/v2/a/manifests/b".utf8.count
        #expect(read(text, limits) != nil)
        for limit in [\RegistryServer.Limits.headerBytes, \.headerCount, \.uriBytes] {
            var narrower = limits
            narrower[keyPath: limit] -= 1
            #expect(read(text, narrower) == nil)
        }
    }
}
