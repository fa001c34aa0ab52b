import NIOHTTP1

/// Names the requests of one thread: by the client's own name, where it is fit for a log, else by ours.
final class RequestIDs {
    private let prefix = String(UInt64.random(in: .min ... .max), radix: 16) + "-"
    private var count = 0

    func id(for headers: HTTPHeaders) -> String { id(askedFor: headers.first(name: "x-request-id")) }

    func id(askedFor id: String?) -> String {
        if let id, Self.isFit(id) { return id }
        return next()
    }

    /// A name of ours.
    func next() -> String {
        count += 1
        return prefix + String(count)
    }

    private static func isFit(_ id: String) -> Bool {
        (1...64).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
