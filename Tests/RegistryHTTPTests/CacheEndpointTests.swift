import Locking
import NIOHTTP1
import OCI
import Testing

@testable import MirrorCore
@testable import RegistryHTTP

@Suite("Looking after the cache, by HTTP", .timeLimit(.minutes(1)))
struct CacheEndpointTests {
    private let path = "/tmp/tp-cache-\(UInt32.random(in: .min ... .max)).sock"

    private func withControlSocket(_ body: (LiveServer) async throws -> Void) async throws {
        let configure = { (options: inout RegistryServer.Options) in
            options.controlSocket = path
            // A busy machine is no reason for empty lines here.
            options.pulse = .seconds(60)
        }
        try await withServer(configure, body: body)
    }

    private func request(_ call: CacheCall, method: String? = nil) async throws -> RawResponse {
        try await request(call.target, method ?? (call.task.changesState ? "POST" : "GET"))
    }

    private func request(_ target: String, _ method: String) async throws -> RawResponse {
        let client = try await RawClient(unixSocket: path)
        try await client.send("\(method) \(target) HTTP/1.1\r\nHost: tidepool\r\nContent-Length: 0\r\n\r\n")
        return try await client.response()
    }

    private static func image(_ reference: String) -> ImageHolding {
        ImageHolding(
            reference: reference,
            digest: "sha256:00",
            survival: .partial,
            size: 5,
            missingBytes: 0,
            platformCount: 2,
            completePlatforms: 1,
            isOlder: false,
            isGone: false,
            isPinned: true,
            landedAt: WallTime(milliseconds: 1_795_267_380_000)
        )
    }

    static let tasks: [CareTask] = [
        .list(incompleteOnly: false), .list(incompleteOnly: true), .show("nginx:1.27"), .stats, .collect,
        .remove("ghcr.io/org/app@sha256:00"), .pin("a b/ü&c=d"), .unpin("nginx"), .verify(VerifyOptions()),
        .verify(VerifyOptions(repairs: true, resumes: true, bytesPerSecond: 1000)),
    ]

    @Test("each task is a request, and the other way round", arguments: tasks)
    func calls(task: CareTask) async throws {
        let call = CacheCall(task)
        // What is no text of a reference does not get through a request's target.
        guard task != .pin("a b/ü&c=d") else {
            #expect(call.target == "/-/api/cache/pin?image=a%20b%2F%C3%BC%26c%3Dd")
            return
        }
        #expect(try CacheCall(RequestTarget(call.target)) == call)
        try await withControlSocket { live async throws in
            let response = try await request(call)
            #expect(response.status == 200 && live.cache.tasks == [task])
        }
    }

    @Test("reports come as lines, each as it is found")
    func lines() async throws {
        let reports: [CareReport] = [
            .image(Self.image("docker.io/library/nginx:1")), .image(Self.image("docker.io/org/app:2")),
            .total(ListTotal(images: 2, incomplete: 1, size: 10)),
        ]
        try await withControlSocket { live async throws in
            live.cache.script.withLock { $0.reports = reports }
            let response = try await request(CacheCall(.list(incompleteOnly: false)))
            #expect(response["content-type"] == "application/x-ndjson" && response.isComplete)
            #expect(
                response["transfer-encoding"] == "chunked",
                "so that a list that breaks off is told from a short one"
            )
            let lines = try response.body.split(separator: UInt8(ascii: "\n")).map { try CareLine(json: Array($0)) }
            #expect(lines == reports.map { .report($0) })
            let expected = """
                {"image":{"complete_platforms":1,"digest":"sha256:00","is_gone":false,"is_older":false,"is_pinned":true,\
                "landed_at":"2026-11-21T13:23:00Z","missing_bytes":0,"platform_count":2,\
                "reference":"docker.io/library/nginx:1","size":5,"survival":"partial"}}
                """
            #expect(response.text.split(separator: "\n").first.map(String.init) == expected)
        }
    }

    @Test("every report survives its line")
    func coding() throws {
        let reports: [CareReport] = [
            .held(Self.image("x")), .stats(CacheStats(oldestUse: WallTime(milliseconds: 5000))),
            .progress(CareProgress(objects: 1, bytes: 2, totalBytes: 3)),
            .damage(DamagedObject(digest: "d", kind: "blob", problem: .short, remedy: .onDemand)),
            .orphan(OrphanFile(name: "n", kind: "blob", size: 1)), .verified(VerifyTotal(objects: 1)),
            .removed(RemovedTotal(manifests: 1)),
            .pin(PinState(reference: "r", isPinned: true, survival: .whole)),
        ]
        for report in reports { #expect(try CareLine(json: CareLine.report(report).json) == .report(report)) }
        #expect(try CareLine(json: CareLine.error("no").json) == .error("no"))
    }

    @Test(
        "a failure before the first report is a status, and its text",
        arguments: [
            (CareError.malformed("x y"), 400), (.upstreamUnknown("quay.io"), 404), (.unknown("nginx:1"), 404),
            (.notPinned("nginx:1"), 404), (.busy("verification"), 409), (.pinned("nginx:1"), 409),
            (.failed("the index has no room"), 500),
        ]
    )
    func failures(error: CareError, status: Int) async throws {
        try await withControlSocket { live async throws in
            live.cache.script.withLock { $0.failure = error }
            let response = try await request(CacheCall(.remove("nginx:1")))
            #expect(response.status == status)
            let envelope = ErrorEnvelope(.unsupported, message: "\(error)")
            #expect(response.body == envelope.bytes)
        }
    }

    @Test("a later one is the last line")
    func lateFailure() async throws {
        try await withControlSocket { live async throws in
            live.cache.script.withLock { script in
                script.reports = [.progress(CareProgress(objects: 1, bytes: 2, totalBytes: 3))]
                script.failure = .failed("no")
            }
            let response = try await request(CacheCall(.verify(VerifyOptions())))
            let last = try #require(response.body.split(separator: UInt8(ascii: "\n")).last)
            #expect(try CareLine(json: Array(last)) == .error("no"))
        }
    }

    @Test("whoever leaves ends the work")
    func leaving() async throws {
        try await withControlSocket { live async throws in
            live.cache.script.withLock { script in
                script.reports = [.progress(CareProgress(objects: 1, bytes: 2, totalBytes: 3))]
                script.isEndless = true
            }
            try await askAndLeave()
            try await eventually { live.cache.wasStopped }
        }
    }

    private func askAndLeave() async throws {
        let client = try await RawClient(unixSocket: path)
        try await client.send("POST /-/api/cache/verify HTTP/1.1\r\nHost: t\r\n\r\n")
        _ = try await client.bytes(1000)
        // It closes when it goes.
    }

    @Test("HTTP/1.0, which has no chunks, is refused")
    func oldProtocol() async throws {
        try await withControlSocket { live async throws in
            let client = try await RawClient(unixSocket: path)
            try await client.send("GET /-/api/cache/ls HTTP/1.0\r\n\r\n")
            #expect(try await client.response().status == 505)
            #expect(live.cache.tasks.isEmpty)
        }
    }

    @Test("nobody gets to it by TCP", arguments: tasks)
    func notByTCP(task: CareTask) async throws {
        try await withServer { live in
            let method = task.changesState ? "POST" : "GET"
            let response = try await live.request(CacheCall(task).target, method: method)
            #expect(response.status == (task.changesState ? 405 : 404))
            #expect(live.cache.tasks.isEmpty)
        }
    }

    @Test(
        "the wrong method, path or parameter is refused",
        arguments: [
            ("POST", "/-/api/cache/ls", 405), ("GET", "/-/api/cache/gc", 405), ("GET", "/-/api/cache/verify", 405),
            ("GET", "/-/api/cache/none", 404), ("GET", "/-/api/cache/", 404), ("GET", "/-/api/cache/show", 400),
            ("POST", "/-/api/cache/verify?rate=fast", 400), ("POST", "/-/api/cache/verify?rate=-1", 400),
            ("DELETE", "/-/api/cache/gc", 405), ("POST", "/-/api/quota", 405), ("POST", "/v2/", 405),
        ]
    )
    func refused(method: String, target: String, status: Int) async throws {
        try await withControlSocket { live async throws in
            let response = try await request(target, method)
            #expect(response.status == status, "\(response.text)")
            #expect(live.cache.tasks.isEmpty)
        }
    }
}
