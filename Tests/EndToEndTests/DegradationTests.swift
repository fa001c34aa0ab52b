import FoundationEssentials
import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    /// Every cell of ``DegradationMatrix``, against the binary.
    @Suite("The degradation matrix", OnDegradationStage())
    struct DegradationTests {
        typealias Matrix = DegradationMatrix

        @Test("a client gets what the table says", arguments: Matrix.cells)
        func cell(_ cell: Matrix.Cell) async throws {
            let stage = try #require(DegradationStage.current)
            let before = try await stage.requests(for: cell)
            // The bound is for a mirror that hangs: containerd gives up after 30 s.
            let response = try await answer(to: stage.path(of: cell), stage, within: .seconds(15))
            let requests = try await stage.requests(for: cell) - before
            let expected = cell.expected
            #expect(requests <= expected.requests, "\(requests) requests upstream")
            expect(expected.outcome, response, stage.content(of: cell))
            #expect(!response.headers.contains(name: "www-authenticate"))
        }

        @Test("the document shows this table")
        func document() throws {
            let path = DegradationDocument.path
            let document = try String(contentsOf: path, encoding: .utf8)
            let rendered = try #require(DegradationDocument.rendered(document), "no markers in \(path.path())")
            if ProcessInfo.processInfo.environment["TIDEPOOL_WRITE_DOCS"] != nil {
                try Data(rendered.utf8).write(to: path)
            } else {
                #expect(document == rendered, "TIDEPOOL_WRITE_DOCS=1 swift test --filter DegradationTests writes it")
            }
        }

        private func expect(_ outcome: Matrix.Outcome, _ response: TestResponse, _ content: Content) {
            switch outcome {
            case .hit:
                #expect(response.status == 200 && response.isExactly(content), "\(response)")
                #expect(response.cacheStatus == "tidepool; hit" && response.headers["warning"] == [], "\(response)")
            case .stale:
                #expect(response.status == 200 && response.isExactly(content) && response.isMarkedStale, "\(response)")
            case .fetched:
                #expect(response.status == 200 && response.isExactly(content), "\(response)")
                #expect(response.headers["warning"] == [])
            case .cut:
                #expect(response.status == 200 && !response.isComplete, "\(response)")
            case .error(let status, let code):
                #expect(response.status == status && response.isError(code), "\(response)")
                #expect(!response.headers.contains(name: "docker-content-digest"))
                let retryAfter = response.retryAfter.map { (1...60).contains($0) }
                #expect(retryAfter == (status == 503 ? true : nil), "\(response)")
            }
        }

        private func answer(
            to path: String,
            _ stage: DegradationStage,
            within limit: Duration
        ) async throws -> TestResponse {
            try await withThrowingTaskGroup(of: TestResponse?.self) { group in
                group.addTask { try await stage.mirror.client.get(path) }
                group.addTask {
                    try await Task.sleep(for: limit)
                    return nil
                }
                let first = try await group.next() ?? nil
                group.cancelAll()
                return try #require(first, "no answer within \(limit)")
            }
        }
    }
}
