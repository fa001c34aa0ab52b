import NIOHTTP1

/// What of a request's headers decides how it is answered, found in one look over them.
struct RequestTraits {
    /// A header that does.
    enum Header {
        case host
        case connection
        case requestID
        /// Asks for something else than the whole of what the target names.
        case condition

        /// `nil` for a name that decides nothing, in any spelling.
        init?(_ name: some Collection<UInt8>) {
            // Most names are told apart by their length alone.
            let (known, header): (String, Header)
            switch name.count {
            case 3: (known, header) = ("via", .condition)
            case 4: (known, header) = ("host", .host)
            case 5: (known, header) = ("range", .condition)
            case 6: (known, header) = ("expect", .condition)
            case 7: (known, header) = ("upgrade", .condition)
            case 8: (known, header) = ("if-range", .condition)
            case 10: (known, header) = ("connection", .connection)
            case 12: (known, header) = ("x-request-id", .requestID)
            case 13: (known, header) = ("if-none-match", .condition)
            case 14: (known, header) = ("content-length", .condition)
            case 17: (known, header) = ("transfer-encoding", .condition)
            default: return nil
            }
            // Of what may stand in a name, only letters become letters by it, and a hyphen stays one.
            guard zip(name, known.utf8).allSatisfy({ $0 | 0x20 == $1 }) else { return nil }
            self = header
        }
    }

    /// How many `Host` headers there are.
    private(set) var hosts = 0
    /// How many `Connection` headers there are.
    private(set) var connections = 0
    /// Whether no header asks for anything but the whole of what the target names.
    private(set) var isUnconditional = true
    private(set) var hasRequestID = false

    init() {}

    init(_ headers: HTTPHeaders) {
        for (name, _) in headers {
            if let header = Header(name.utf8) { note(header) }
        }
    }

    /// Whether the target and the method alone decide the answer.
    var isPlain: Bool { hosts == 1 && isUnconditional }

    mutating func note(_ header: Header) {
        switch header {
        case .host: hosts += 1
        case .connection: connections += 1
        case .requestID: hasRequestID = true
        case .condition: isUnconditional = false
        }
    }
}
