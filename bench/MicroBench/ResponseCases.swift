import MirrorCore
import NIOCore
import NIOHTTP1
import OCI
import RegistryHTTP

/// The answer: its head, an answer that is sent again, and its line in the log.
enum ResponseCases {
    static let all = [
        MicroCase(
            name: "head",
            summary: "put together a manifest's response head, and write it",
            count: 1000,
            prepare: { _ in writingHeads() }
        ),
        MicroCase(
            name: "prepared",
            summary: "find a prepared answer of \(Samples.manifestSize) bytes, and write it",
            count: 1000,
            prepare: { _ in sendingAgain() }
        ),
        MicroCase(
            name: "log-text",
            summary: "count a hit, and write its line of the access log",
            count: 1000,
            prepare: { _ in logging(.text) }
        ),
        MicroCase(
            name: "log-json",
            summary: "the same as JSON",
            count: 1000,
            prepare: { _ in logging(.json) }
        ),
    ]

    // MARK: - Heads

    private static func writingHeads() -> MicroCase.Operation {
        let clock = LoopClock()
        let allocator = ByteBufferAllocator()
        let digests = (0..<64).map { Samples.digest($0, .manifest) }
        return { turn in
            var bytes = allocator.buffer(capacity: 1024)
            head(of: digests[turn % digests.count]).write(to: &bytes, version: .http1_1)
            end(clock).write(to: &bytes)
            return bytes.readableBytes
        }
    }

    /// What `ManifestResponder` and `Exchange` say of a manifest that was asked for by its digest.
    private static func head(of digest: Digest) -> ResponseHead {
        var head = ResponseHead(.ok, contentType: MediaType.ociManifest, contentLength: Samples.manifestSize)
        head.describe(digest)
        head.markImmutable()
        head.add("Docker-Distribution-API-Version", "registry/2.0")
        head.add(CacheOutcome.hit)
        head.add("OCI-Namespace", "docker.io")
        return head
    }

    private static func end(_ clock: LoopClock) -> ResponseEnd {
        ResponseEnd(id: Samples.requestID, date: clock.dateLine, persistence: .usual)
    }

    // MARK: - Prepared answers

    private static func request(_ digest: Digest) -> HTTPRequestHead {
        HTTPRequestHead(version: .http1_1, method: .GET, uri: Samples.target(.manifest, .digest(digest)))
    }

    private static func prepared(_ digest: Digest, _ log: AccessLog? = nil) -> PreparedAnswer {
        var record = AccessRecord()
        record.kind = .manifest
        record.repository = Samples.repository
        record.outcome = .hit
        record.status = 200
        return PreparedAnswer(
            head(of: digest),
            ByteBuffer(repeating: 32, count: Samples.manifestSize),
            record,
            line: log?.prepare(record, to: .GET, Samples.target(.manifest, .digest(digest))),
            method: .GET,
            validity: .init(revision: 1, end: .distantFuture),
            metrics: Metrics()
        )
    }

    private static func sendingAgain() -> MicroCase.Operation {
        let clock = LoopClock()
        let allocator = ByteBufferAllocator()
        let answers = PreparedAnswers()
        let digests = (0..<256).map { Samples.digest($0, .manifest) }
        let requests = digests.map(request)
        for (digest, request) in zip(digests, requests) {
            answers.keep(prepared(digest), for: request.method, request.uri)
        }
        return { turn in
            let target = requests[turn % requests.count].uri
            guard let answer = answers.answer(to: .GET, target) else { return 0 }
            return answer.pieces(ending: end(clock), allocator).0.readableBytes
        }
    }

    // MARK: - The access log

    /// Where the lines would go.
    private struct Nowhere: AccessLines {
        func write(_ line: [UInt8]) {}
    }

    private static func logging(_ format: RegistryServer.AccessLogOutput.Format) -> MicroCase.Operation {
        let log = AccessLog(.init(format, to: Nowhere()), metrics: Metrics(), clock: LoopClock())
        let digest = Samples.digest(0, .manifest)
        let answer = prepared(digest, log)
        let caller = Caller(address: "192.0.2.17")
        return { _ in
            log.note(answer, id: Samples.requestID, caller: caller, since: .now())
            return 1
        }
    }
}
