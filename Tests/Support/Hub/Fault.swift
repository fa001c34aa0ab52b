import NIOHTTP1

/// What goes wrong with an answer; several may be combined.
package enum Fault: Sendable {
    /// This answer instead of the real one.
    case respond(HTTPResponseStatus, headers: HTTPHeaders = [:], body: String = "")
    /// The head is held until the barrier opens.
    case delay(until: Barrier)
    /// The body is held after so many bytes until the barrier opens.
    case stall(after: Int, until: Barrier)
    /// The connection is closed in good order after so many bytes of the body.
    case cut(after: Int)
    /// The connection is reset before anything is answered.
    case reset
    case slow(bytesPerSecond: Int)
    /// The byte of the content at this offset is another one.
    case corrupt(at: Int)
    /// No `Content-Length`: the body is chunked.
    case chunked
    case without(header: String)
    case with(header: String, value: String)
    /// All of the content comes, whatever `Range` asked for.
    case ignoreRange
    /// Every byte after the head is sent, but the head claims another length.
    case claimLength(Int)

    /// Whether the real answer is never made, so that it costs nothing and changes nothing.
    var replacesAnswer: Bool {
        switch self {
        case .respond, .reset: true
        default: false
        }
    }
}

/// Which requests a fault is for.
package struct RequestMatcher: Sendable {
    package var method: HTTPMethod?
    package var role: HubRole?
    package var kind: HubTarget.Kind?
    package var repository: String?
    package var reference: String?
    /// A part of the path.
    package var path: String?

    package init(
        _ method: HTTPMethod? = nil,
        role: HubRole? = nil,
        kind: HubTarget.Kind? = nil,
        repository: String? = nil,
        reference: String? = nil,
        path: String? = nil
    ) {
        self.method = method
        self.role = role
        self.kind = kind
        self.repository = repository
        self.reference = reference
        self.path = path
    }

    package func matches(_ request: HubRequest) -> Bool {
        matches(request.method, request.role, request.target, request.path)
    }

    func matches(_ method: HTTPMethod, _ role: HubRole, _ target: HubTarget, _ path: String) -> Bool {
        (self.method == nil || self.method == method)
            && (self.role == nil || self.role == role)
            && (kind == nil || kind == target.kind)
            && (repository == nil || repository == target.repository)
            && (reference == nil || reference == target.reference)
            && (self.path.map { path.contains($0) } ?? true)
    }
}

/// Faults that wait for their requests.
struct FaultRule: Sendable {
    let matcher: RequestMatcher
    /// How often it still plays; `nil` is for ever.
    var timesLeft: Int?
    let faults: [Fault]
}
