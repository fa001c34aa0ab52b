import CCurl

/// Why a transfer ended without a complete response.
package struct TransferError: Error, Hashable {
    package enum Code: Hashable, Sendable {
        /// The name could not be resolved.
        case dns
        /// No connection could be made, or it broke before the response head.
        case unreachable
        /// The peer closed the connection in the middle of the response.
        case truncated
        /// One of ``TransferRequest/Timeouts`` ran out.
        case timedOut
        /// The TLS handshake or the certificate check failed.
        case untrusted
        /// The sink refused the response.
        case refused
        /// The caller's task was cancelled, or the loop shut down.
        case cancelled
        /// The server's address is one that the request refuses.
        case refusedAddress
        /// The response is larger than one of ``TransferRequest/Limits``.
        case tooLarge
        /// Any other libcurl result.
        case other(UInt32)
    }

    package var code: Code
    /// What libcurl says; it names hosts and ports, never a path or a header field.
    package var message: String
    /// Whether any of the request had been sent: if not, the server cannot have acted on it.
    package internal(set) var wasSent = false

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ result: CURLcode, message: String = "", afterHead: Bool = false) {
        self.code =
            switch result {
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .dns
            case CURLE_COULDNT_CONNECT, CURLE_GOT_NOTHING, CURLE_SEND_ERROR: .unreachable
            case CURLE_PARTIAL_FILE: .truncated
            case CURLE_RECV_ERROR, CURLE_HTTP2, CURLE_HTTP2_STREAM: afterHead ? .truncated : .unreachable
            case CURLE_OPERATION_TIMEDOUT: .timedOut
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CIPHER,
                CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
                .untrusted
            case CURLE_WRITE_ERROR: .refused
            default: .other(result.rawValue)
            }
        self.message = message.isEmpty ? unsafe String(cString: curl_easy_strerror(result)) : message
    }
}

extension TransferError {
    static let shutDown = Self(.cancelled, "the transfer loop has shut down")
    static let taskCancelled = Self(.cancelled, "the caller was cancelled")
    static let headTooLarge = Self(.tooLarge, "the response head is too large")
    static let bodyTooLarge = Self(.tooLarge, "the response body is too large")
    static let headTimedOut = Self(.timedOut, "the response head did not come in time")
    static let stalled = Self(.timedOut, "the body stalled")
    static let addressRefused = Self(.refusedAddress, "the address is not one to connect to")
}
