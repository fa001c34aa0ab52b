import NIOHTTP1

/// What of a request's headers decides how it is answered, found in one look over them.
struct RequestTraits {
    /// How many `Host` headers there are.
    private(set) var hosts = 0
    /// Whether no header asks for anything but the whole of what the target names.
    private(set) var isUnconditional = true
    private(set) var hasConnection = false
    private(set) var hasRequestID = false

    init(_ headers: HTTPHeaders) {
        for (name, _) in headers { note(name) }
    }

    /// Whether the target and the method alone decide the answer.
    var isPlain: Bool { hosts == 1 && isUnconditional }

    private mutating func note(_ name: String) {
        // Most names are told apart by their length alone.
        switch name.utf8.count {
        case 3: if Self.isSame(name, "via") { isUnconditional = false }
        case 4: if Self.isSame(name, "host") { hosts += 1 }
        case 5: if Self.isSame(name, "range") { isUnconditional = false }
        case 6: if Self.isSame(name, "expect") { isUnconditional = false }
        case 7: if Self.isSame(name, "upgrade") { isUnconditional = false }
        case 8: if Self.isSame(name, "if-range") { isUnconditional = false }
        case 10: if Self.isSame(name, "connection") { hasConnection = true }
        case 12: if Self.isSame(name, "x-request-id") { hasRequestID = true }
        case 13: if Self.isSame(name, "if-none-match") { isUnconditional = false }
        case 14: if Self.isSame(name, "content-length") { isUnconditional = false }
        case 17: if Self.isSame(name, "transfer-encoding") { isUnconditional = false }
        default: break
        }
    }

    /// Whether a header's name is this one, which is of the same length and in small letters.
    private static func isSame(_ name: String, _ known: String) -> Bool {
        // Of what may stand in a name, only letters become letters by it, and a hyphen stays one.
        zip(name.utf8, known.utf8).allSatisfy { $0 | 0x20 == $1 }
    }
}
