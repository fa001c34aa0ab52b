import MirrorCore
import NIOCore
import NIOHTTP1
import OCI
import Testing

@testable import RegistryHTTP

@Suite("Prepared lines of the access log")
struct PreparedLineTests {
    @Test(
        "are like those that are not, for whoever asks",
        arguments: [RegistryServer.AccessLogOutput.Format.text, .json]
    )
    func same(format: RegistryServer.AccessLogOutput.Format) throws {
        let lines = LogLines()
        let log = AccessLog(.init(format, to: lines), metrics: Metrics(), clock: LoopClock())
        var record = AccessRecord()
        record.kind = .manifest
        record.repository = Repository(upstream: .dockerHub, name: try RepositoryName("library/nginx"))
        record.outcome = .hit
        record.status = 200
        record.sentBytes = 3
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/v2/nginx/manifests/\"latest?ns=docker.io")
        let answer = PreparedAnswer(
            ResponseHead(.ok, contentType: MediaType.json, contentLength: 3),
            ByteBuffer(bytes: [1, 2, 3]),
            record,
            line: log.prepare(record, to: head.method, head.uri),
            method: .GET,
            validity: .init(revision: 1, end: .distantFuture),
            metrics: Metrics()
        )
        for client in ["192.0.2.1", "2001:db8::1"] {
            record.start = .now()
            log.note(record, of: head, id: "of-\(client)", caller: Caller(address: client))
            log.note(answer, id: "of-\(client)", caller: Caller(address: client), since: .now())
        }
        let all = lines.all.map(withoutTimes)
        #expect(all.count == 4 && all[0] == all[1] && all[2] == all[3] && all[0] != all[2])
        for part in ["2001:db8::1", "of-2001:db8::1", "nginx/manifests"] { #expect(all[2].contains(part)) }
    }

    /// The line but for the figures of its times.
    private func withoutTimes(_ line: String) -> String {
        line.replacing(/duration_ms(=|":")[0-9.]+/, with: "").replacing(/[0-9-]{10}T[0-9:.]+/, with: "")
    }
}
