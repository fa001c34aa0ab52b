import Curl
import HTTPTesting
import Testing

@testable import UpstreamHTTP

@Suite("Answers off the transfer thread", .timeLimit(.minutes(1)))
struct AnswerSinkTests {
    @Test("of a large error the beginning is kept, however large the pieces are", arguments: [false, true])
    func largeError(isGathered: Bool) async throws {
        let text = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let server = LoopbackServer { _ in .reply(503, body: text) }
        let sink = AnswerSink(.drop)
        var request = TransferRequest(url: server.url("/"))
        request.limits = TransferRequest.Limits(chunk: 256 << 10, isGathered: isGathered)
        var failure: TransferError?
        do throws(TransferError) {
            try await TransferLoop(name: "curl-test").send(request, to: sink)
        } catch {
            failure = error
        }
        let location = try #require(Location(server.url("/")))
        let answer = try sink.answer(from: location, endedWith: failure)
        #expect(answer.status == 503)
        #expect(answer.body == Array(text.prefix(64 << 10)))
    }
}
