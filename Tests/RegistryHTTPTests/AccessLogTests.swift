import Locking
import MirrorCore
import OCI
import Testing

@testable import RegistryHTTP

@Suite("Access log and metrics", .timeLimit(.minutes(1)))
struct AccessLogTests {
    private let digest = Digest(repeating: 0xab)

    @Test("a request is one line with what happened, and no secret of the client's")
    func line() async throws {
        try await withServer { live in
            _ = try await live.request(
                "/v2/nginx/manifests/none?ns=docker.io&token=s3cret",
                headers: ["Authorization: Basic c2VjcmV0", "X-Request-Id: id-1"]
            )
            let lines = live.log.all.filter { $0.contains("request_id=id-1") }
            #expect(lines.count == 1)
            let line = try #require(lines.first)
            for part in [
                "info request", "method=GET", "path=/v2/nginx/manifests/none", "status=404", "upstream=docker.io",
                "repository=nginx", "client=127.0.0.1", "cache=none", "error=manifest_unknown",
            ] {
                #expect(line.contains(part), "\(part)")
            }
            #expect(!line.contains("s3cret"))
            #expect(!line.contains("c2VjcmV0"))
        }
    }

    @Test("requests and bytes are counted by bounded labels")
    func metrics() async throws {
        try await withServer { live in
            let file = try TemporaryFile([UInt8](repeating: 1, count: 3000))
            live.registry.script.withLock { $0.cachedBlobs[digest] = file }
            let client = try await RawClient(live.address)
            for _ in 0..<2 {
                try await client.send("GET /v2/nginx/blobs/\(digest) HTTP/1.1\r\nHost: m\r\n\r\n")
                _ = try await client.response()
            }
            _ = try await live.request("/v2/nginx/blobs/latest", method: "PATCH")
            let text = try await live.request("/metrics").text
            let labels = #"upstream="docker.io",kind="blob",method="GET",status="200",cache="hit""#
            #expect(text.contains("tidepool_requests_total{\(labels)} 2\n"))
            #expect(text.contains(#"tidepool_sent_bytes_total{cache="hit"} 6000"#))
            #expect(text.contains(#"kind="other",method="other",status="405",cache="none"} 1"#))
        }
    }

    @Test("a client that leaves before the answer is noted as such")
    func left() async throws {
        try await withServer { live in
            let gate = Gate()
            live.registry.script.withLock { $0.gate = gate }
            let client = try await RawClient(live.address)
            try await client.send("GET /v2/nginx/manifests/latest HTTP/1.1\r\nHost: m\r\n\r\n")
            await gate.arrival()
            client.reset()
            try await eventually { live.log.all.contains(where: { $0.contains("status=499") }) }
            gate.open()
            #expect(try await live.request("/healthz").status == 200)
        }
    }
}
