import Curl
import Locking
import Logging
import MirrorCore
import OCI

@testable import UpstreamHTTP

let repository = valid { try RepositoryName("library/nginx") }
let tag = Reference.tag(valid { try Tag("1.27") })
let digest = valid { try Digest("sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824") }

/// A value that the test wrote down itself, and that is known to be good.
private func valid<Value>(_ make: () throws -> Value) -> Value {
    do {
        return try make()
    } catch {
        fatalError("a fixture is not valid: \(error)")
    }
}

/// A registry client against loopback servers, with everything it counted and logged.
struct Subject {
    let upstream: RegistryUpstream
    let metrics = Metrics()
    let log = LogRecorder()
    let ledger = RecordingLedger()
    private let loop = TransferLoop(name: "curl-test")

    init(
        _ endpoint: String,
        name: String = "registry.example",
        environment: [String: String] = [:],
        time: Timekeeper = .system(),
        _ configure: (inout UpstreamOptions) -> Void = { _ in }
    ) throws {
        var options = UpstreamOptions(
            name: UpstreamName(name),
            endpoint: endpoint,
            instanceID: "test",
            version: "0.0"
        )
        configure(&options)
        let log = log
        let ledger = ledger
        upstream = try RegistryUpstream(
            options,
            transfers: loop,
            environment: environment,
            ledger: ledger,
            time: time,
            metrics: metrics,
            logger: Logger(label: "test") { _ in log.handler }
        )
    }

    func blob(from offset: Int = 0) async throws -> BlobRecorder {
        let sink = BlobRecorder()
        try await upstream.blob(digest, in: repository, from: offset, into: sink)
        return sink
    }
}

let errand = Errand(for: Caller(address: "192.0.2.1"))

/// What most tests ask: somebody pulls.
extension RegistryUpstream {
    func headManifest(
        _ reference: Reference,
        in repository: RepositoryName
    ) async throws(UpstreamError) -> ManifestDescription {
        try await headManifest(reference, in: repository, for: errand)
    }

    func manifest(_ reference: Reference, in repository: RepositoryName) async throws(UpstreamError) -> FetchedManifest
    {
        try await manifest(reference, in: repository, for: errand)
    }

    func headBlob(_ digest: Digest, in repository: RepositoryName) async throws(UpstreamError) -> Int? {
        try await headBlob(digest, in: repository, for: errand)
    }

    func blob(
        _ digest: Digest,
        in repository: RepositoryName,
        from offset: Int,
        into sink: any BlobSink
    ) async throws(UpstreamError) {
        try await blob(digest, in: repository, from: offset, into: sink, for: errand)
    }

    func tags(in repository: RepositoryName) async throws(UpstreamError) -> [String] {
        try await tags(in: repository, for: errand)
    }

    func referrers(of digest: Digest, in repository: RepositoryName) async throws(UpstreamError) -> ReferrersAnswer {
        try await referrers(of: digest, in: repository, for: errand)
    }
}

/// A ledger that grants everything but what a test refuses, and remembers what it was told.
final class RecordingLedger: QuotaLedger {
    struct State: Sendable {
        var claims: [QuotaClaim] = []
        var settled: [(claim: QuotaClaim, isSpent: Bool)] = []
        var observations: [(observation: QuotaObservation, account: QuotaAccount)] = []
        var refusal: UpstreamError?
    }

    let state = Locked(State())

    func claim(
        for purpose: Purpose,
        on account: QuotaAccount,
        keeping reserve: Int?
    ) async throws(UpstreamError) -> QuotaClaim {
        let (claim, refusal) = state.withLock { state in
            let claim = QuotaClaim(id: UInt64(state.claims.count), account: account, purpose: purpose)
            state.claims.append(claim)
            return (claim, state.refusal)
        }
        if let refusal { throw refusal }
        return claim
    }

    func settle(_ claim: QuotaClaim, isSpent: Bool) {
        state.withLock { $0.settled.append((claim, isSpent)) }
    }

    func mark() -> QuotaMark { QuotaMark(count: state.withLock { UInt64($0.observations.count) }) }

    func observe(_ observation: QuotaObservation, on account: QuotaAccount, since mark: QuotaMark) {
        state.withLock { $0.observations.append((observation, account)) }
    }

    func pressure(on upstream: UpstreamName) -> QuotaPressure { .none }

    func status() -> [QuotaStatus] { [] }
}

/// Collects a blob.
final class BlobRecorder: BlobSink {
    private let state = Locked((head: BlobHead?.none, bytes: [UInt8]()))

    var head: BlobHead? { state.withLock { $0.head } }
    var bytes: [UInt8] { state.withLock { $0.bytes } }

    func begin(_ head: BlobHead) -> Bool {
        state.withLock { $0.head = head }
        return true
    }

    func receive(_ bytes: Span<UInt8>) -> BlobIntake {
        state.withLock { state in
            for index in bytes.indices { state.bytes.append(bytes[index]) }
        }
        return .taken
    }
}

/// Everything that was logged, at any level.
final class LogRecorder: Sendable {
    private let lines = Locked<[String]>([])

    var text: String { lines.withLock { $0.joined(separator: "\n") } }
    func count(of part: String) -> Int { lines.withLock { $0.filter { $0.contains(part) }.count } }

    var handler: some LogHandler { Handler(recorder: self) }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            recorder.lines.withLock { [metadata] in $0.append("\(event.message) \(event.metadata ?? [:]) \(metadata)") }
        }
    }
}

/// A response head with these fields.
func head(_ status: Int, _ fields: [String: String] = [:]) -> ResponseHead {
    ResponseHead(status: status, fields: fields.map { HeaderField($0, $1) })
}
