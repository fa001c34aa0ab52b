import NIOHTTP1

/// One request, and what became of it.
package struct LoggedRequest: Sendable {
    /// The order of arrival, over all three servers.
    package let number: Int
    package let request: HubRequest
    package let receivedAt = ContinuousClock.now
    package internal(set) var status: Int?
    /// Bytes of the body that were handed to the kernel.
    package internal(set) var bodyBytes = 0
    package internal(set) var isComplete = false
    package internal(set) var complaint: String?

    /// Whether the registry answered 401, which costs nothing and is asked again with a token.
    package var isChallenged: Bool { request.role == .registry && status == 401 }
}

extension LoggedRequest: CustomStringConvertible {
    package var description: String {
        let status = status.map(String.init) ?? "-"
        let range = request.headers.first(name: "range").map { " [\($0)]" } ?? ""
        let end = isComplete ? "" : " (incomplete)"
        return "#\(number) \(request.role) \(request.method) \(request.path)\(range) -> \(status) \(bodyBytes) B\(end)"
    }
}

/// Everything that the Hub was asked, in order.
package struct RequestLog: Sendable {
    package private(set) var entries: [LoggedRequest] = []

    mutating func append(_ request: HubRequest) -> Int {
        entries.append(LoggedRequest(number: entries.count, request: request))
        return entries.count - 1
    }

    mutating func update(_ number: Int, _ change: (inout LoggedRequest) -> Void) {
        change(&entries[number])
    }

    /// What came after the first `count` requests.
    package func since(_ count: Int) -> RequestLog {
        var rest = RequestLog()
        rest.entries = Array(entries.dropFirst(count))
        return rest
    }

    package func matching(_ matcher: RequestMatcher) -> [LoggedRequest] {
        entries.filter { matcher.matches($0.request) }
    }

    /// How many requests match, but for those that the registry answered with a challenge: they are a part of the next.
    package func count(_ matcher: RequestMatcher) -> Int { matching(matcher).count { !$0.isChallenged } }

    package func count(
        _ method: HTTPMethod? = nil,
        role: HubRole? = nil,
        kind: HubTarget.Kind? = nil,
        repository: String? = nil,
        reference: String? = nil
    ) -> Int {
        count(RequestMatcher(method, role: role, kind: kind, repository: repository, reference: reference))
    }

    /// What a mirror should never have asked.
    package var complaints: [String] {
        entries.compactMap { entry in entry.complaint.map { "\($0): \(entry)" } }
    }
}

extension RequestLog: CustomStringConvertible {
    package var description: String { entries.map(\.description).joined(separator: "\n") }
}
