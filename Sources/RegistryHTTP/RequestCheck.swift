import NIOHTTP1
import OCI

/// Refuses requests that are not plain reads, by their head; the control socket's may be POSTs without a body too.
enum RequestCheck {
    enum Failure: Hashable {
        /// Not GET or HEAD.
        case method
        /// Not HTTP/1.x, or framed in a way that two servers may read differently.
        case syntax
        /// A read with a body.
        case body
        case headTooLarge
        case uriTooLong

        init(_ error: HTTPParserError) {
            self = error == .headerOverflow ? .headTooLarge : .syntax
        }
    }

    static func failure(
        of head: HTTPRequestHead,
        limits: RegistryServer.Limits,
        isControl: Bool = false
    ) -> Failure? {
        let headers = head.headers
        if head.version == .http1_1, headers["host"].count != 1 { return .syntax }
        if head.uri.utf8.count > limits.uriBytes { return .uriTooLong }
        // The decoder refuses some of these itself; what it lets through is refused here.
        let lengths = headers["content-length"]
        if lengths.count > 1 || (!lengths.isEmpty && headers.contains(name: "transfer-encoding")) { return .syntax }
        let isRead = head.method == .GET || head.method == .HEAD
        guard isRead || isControl && head.method == .POST else { return .method }
        if headers.contains(name: "transfer-encoding") || !lengths.allSatisfy(isZero) { return .body }
        return nil
    }
}

extension RequestCheck.Failure {
    /// Answers, and closes the connection where what follows on it cannot be told.
    func respond(to exchange: Exchange) {
        exchange.enterRegistryAPI()
        exchange.mustClose = exchange.mustClose || self != .method || exchange.request.mayHaveBody
        ErrorResponder.respond(status: status, code: .unsupported, message: message, label: label, to: exchange)
    }

    private var status: HTTPResponseStatus {
        switch self {
        case .method: .methodNotAllowed
        case .syntax, .body: .badRequest
        case .headTooLarge: .requestHeaderFieldsTooLarge
        case .uriTooLong: .uriTooLong
        }
    }

    private var message: String {
        switch self {
        case .method: "this registry is a read-only mirror"
        case .syntax: "the request is not valid HTTP"
        case .body: "a request body is not expected"
        case .headTooLarge: "the request's headers are too large"
        case .uriTooLong: "the request's URI is too long"
        }
    }

    private var label: String {
        switch self {
        case .method: "method"
        case .syntax: "syntax"
        case .body: "body"
        case .headTooLarge: "head_too_large"
        case .uriTooLong: "uri_too_long"
        }
    }
}

extension HTTPRequestHead {
    fileprivate var mayHaveBody: Bool {
        headers.contains(name: "transfer-encoding") || !headers["content-length"].allSatisfy(isZero)
            || method == .CONNECT
    }
}

/// Whether a `Content-Length` says that there is no body: `1*DIGIT`, so leading zeros are allowed (RFC 9110, 8.6).
private func isZero(_ length: String) -> Bool {
    !length.isEmpty && length.utf8.allSatisfy { $0 == UInt8(ascii: "0") }
}
