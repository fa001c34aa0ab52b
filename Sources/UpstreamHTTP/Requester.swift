import Curl
import FoundationEssentials
import Locking
import Logging
import MirrorCore

/// What a request is for, in metrics.
enum RequestKind: String, Sendable {
    case head
    case manifest
    case blob
    case tags
    case referrers
    case token
    case redirect
}

/// Sends single requests for one upstream, each within its bounds, and counts them.
///
/// Everything an upstream causes to be sent passes through here: to the registry, its token server, its redirect targets.
final class Requester: Sendable {
    /// One request, and what is to become of its answer.
    struct Request: Sendable {
        var kind: RequestKind
        var method = TransferRequest.Method.get
        var location: Location
        var fields: [HeaderField] = []
        var use: BodyUse
        /// Whose it is, and how long it may wait for leave to be sent; `nil` for a token, which is for many.
        var errand: Errand?
        var deadline: Duration?
        /// What it is about, a repository or a token's scope: a server may fail at one and be well otherwise.
        var subject: String?
    }

    /// What came of a request.
    struct Attempt: Sendable {
        var result: Result<Answer, UpstreamError>
        /// The status, if a head came, also where its body then failed.
        var status: Int?
        /// Whether the server can have seen any of the request.
        var wasSent: Bool
    }

    let endpoint: Location
    let gate: UpstreamGate
    private let options: UpstreamOptions
    private let realms: RealmRules
    private let transfers: TransferLoop
    private let metrics: Metrics
    private let logger: Logger
    private let commonFields: [HeaderField]
    private let isProxied: Bool
    /// What kind of address the endpoint was last seen at.
    private let endpointClass: Locked<AddressClass?>

    init(
        _ options: UpstreamOptions,
        realms: RealmRules,
        endpoint: Location,
        gate: UpstreamGate,
        transfers: TransferLoop,
        environment: [String: String],
        metrics: Metrics,
        logger: Logger
    ) {
        self.options = options
        self.realms = realms
        self.endpoint = endpoint
        self.gate = gate
        self.transfers = transfers
        self.metrics = metrics
        self.logger = logger
        let proxyVariables = ["https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"]
        isProxied = !options.proxy.isEmpty || proxyVariables.contains { environment[$0]?.isEmpty == false }
        endpointClass = Locked(AddressClass(host: endpoint.origin.host))
        commonFields = [
            HeaderField("User-Agent", "tidepool/\(options.version)"),
            HeaderField("Via", "1.1 tidepool-\(options.instanceID)"),
            // Digests are over the bytes as they are stored.
            HeaderField("Accept-Encoding", "identity"),
        ]
    }

    func send(_ request: Request) async throws(UpstreamError) -> Answer {
        try await attempt(request).result.get()
    }

    /// Sends a request, once it may be sent.
    func attempt(_ request: Request) async -> Attempt {
        let refused = refusedAddresses(for: request.location)
        if let literal = AddressClass(literal: request.location.origin.host), refused.contains(literal) {
            // Through a proxy this is the only sight of the address.
            return .notSent(.unusable("an address that is not to be connected to"))
        }
        let passage: UpstreamGate.Passage?
        do throws(UpstreamError) {
            passage = try await leave(for: request)
        } catch {
            return .notSent(error)
        }
        let sink = AnswerSink(request.use) { status in passage?.note(CircuitState.Verdict(status: status)) }
        let failure = await transfer(request, refusing: refused, to: sink)
        let attempt = Attempt(sink, request, endedWith: failure)
        if attempt.status == nil { passage?.note(attempt.verdict) }
        note(attempt, of: request, received: sink.receivedBytes)
        return attempt
    }

    /// Leave to send; `nil` where none is needed, at the places that redirects lead to.
    private func leave(for request: Request) async throws(UpstreamError) -> UpstreamGate.Passage? {
        let origin = request.location.origin
        guard origin == endpoint.origin || request.kind == .token else { return nil }
        return try await gate.pass(
            to: origin,
            about: request.subject,
            for: request.errand,
            until: request.deadline
        )
    }

    private func transfer(
        _ request: Request,
        refusing refused: Set<AddressClass>,
        to sink: AnswerSink
    ) async -> TransferError? {
        let timeouts = options.timeouts
        let isBlob = if case .relay = request.use { true } else { false }
        var transfer = TransferRequest(
            request.method,
            url: request.location.text,
            fields: commonFields + request.fields,
            timeouts: TransferRequest.Timeouts(
                connect: timeouts.connect,
                head: timeouts.head,
                stall: timeouts.stall,
                total: isBlob ? nil : timeouts.answerWithin
            ),
            // Blobs are read in large pieces, for fewer writes.
            limits: TransferRequest.Limits(chunk: isBlob ? 256 << 10 : 16 << 10, isGathered: isBlob),
            connection: TransferRequest.Connection(
                caFile: options.caFile,
                isInsecure: options.isInsecure,
                proxy: options.proxy.isEmpty ? nil : options.proxy,
                refused: refused
            )
        )
        if case .relay(let sink, _) = request.use, sink.mayBeFull {
            // What libcurl holds back while the sink rests is at most this.
            transfer.limits.chunk = 64 << 10
            transfer.limits.isGathered = false
            transfer.connection.allowsHTTP2 = false
        }
        do throws(TransferError) {
            try await transfers.send(transfer, to: sink)
            return nil
        } catch {
            return error
        }
    }
}

// MARK: - Addresses

extension Requester {
    /// Where a request to `location` may not be connected to.
    ///
    /// The registry's own host is where the settings sent us. Other places were named by an answer: never the link-local
    /// and metadata addresses, and the machine's own or a private network only for a registry that is there itself.
    func refusedAddresses(for location: Location) -> Set<AddressClass> {
        if location.origin.host == endpoint.origin.host { return [] }
        var refused: Set<AddressClass> = [.unspecified, .linkLocal, .metadata]
        // Behind a proxy the address is the proxy's own, which is often private.
        if isProxied && AddressClass(literal: location.origin.host) == nil || realms.isListed(location) {
            return refused
        }
        switch endpointClass.withLock({ $0 }) {
        case .loopback: break
        case .privateUse: refused.insert(.loopback)
        default: refused.formUnion([.loopback, .privateUse])
        }
        return refused
    }
}

extension AddressClass {
    /// The class of a host where its text alone tells it.
    fileprivate init?(host: String) {
        if host == "localhost" { self = .loopback } else { self.init(literal: host) }
    }
}

// MARK: - Metrics and log

extension Requester {
    private func note(_ attempt: Attempt, of request: Request, received: Int) {
        let name = options.name.text
        let status: String
        let isEndpoint = request.location.origin == endpoint.origin
        switch attempt.result {
        case .success(let answer):
            status = String(answer.status)
            if isEndpoint, !isProxied, let peer = answer.head.peer { endpointClass.withLock { $0 = peer } }
        case .failure(let error): status = error.label
        }
        if isEndpoint, attempt.verdict != .unknown {
            metrics.set(.upstreamUp, to: attempt.verdict == .alive ? 1 : 0, name)
        }
        metrics.add(to: .upstreamRequests, name, request.kind.rawValue, status)
        if received > 0 { metrics.add(received, to: .upstreamReceivedBytes, name) }
        // Redirect targets carry their permits in the path, some of them.
        let place = request.kind == .redirect ? request.location.origin.text : request.location.shown
        logger.debug(
            "upstream request",
            metadata: ["kind": "\(request.kind.rawValue)", "at": "\(place)", "status": "\(status)"]
        )
    }
}

extension Requester.Attempt {
    fileprivate static func notSent(_ error: UpstreamError) -> Self {
        Self(result: .failure(error), status: nil, wasSent: false)
    }

    fileprivate init(_ sink: AnswerSink, _ request: Requester.Request, endedWith failure: TransferError?) {
        do throws(UpstreamError) {
            result = .success(try sink.answer(from: request.location, endedWith: failure))
        } catch {
            result = .failure(error)
        }
        status = sink.status
        wasSent = failure?.wasSent ?? true
    }

    /// What it says of the health of the place that was asked.
    fileprivate var verdict: CircuitState.Verdict {
        if let status { return CircuitState.Verdict(status: status) }
        guard case .failure(let error) = result else { return .unknown }
        return CircuitState.Verdict(error)
    }
}
