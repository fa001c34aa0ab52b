import NIOHTTP1

extension Fault {
    /// An error envelope instead of the real answer.
    package static func refuse(_ status: HTTPResponseStatus, _ code: String) -> Fault {
        let body = #"{"errors":[{"code":"\#(code)","message":"scripted","detail":null}]}"#
        return .respond(status, headers: ["content-type": "application/json"], body: body)
    }

    /// Docker Hub's pull limit: JSON, in answer to a manifest.
    ///
    /// `limit` is the account that the headers show; `nil` leaves them out.
    package static func pullLimit(retryAfter: String? = nil, showing limit: HubQuota? = HubQuota()) -> Fault {
        var headers: HTTPHeaders = ["content-type": "application/json"]
        if var limit {
            limit.spent = limit.limit
            headers.add(contentsOf: RateLimitSpelling.prefixed.headers(limit))
        }
        if let retryAfter { headers.add(name: "retry-after", value: retryAfter) }
        return .respond(.tooManyRequests, headers: headers, body: HubState.pullLimitDocument)
    }

    /// Docker Hub's abuse limit: plain text, in answer to anything.
    package static func abuseLimit(retryAfter: String? = "60") -> Fault {
        var headers: HTTPHeaders = ["content-type": "text/plain", "cache-control": "no-cache"]
        if let retryAfter { headers.add(name: "retry-after", value: retryAfter) }
        return .respond(.tooManyRequests, headers: headers, body: "Too Many Requests")
    }
}
