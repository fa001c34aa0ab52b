/// A request target, taken apart: the path decoded once, and the parameters of the query.
///
/// Only printable ASCII gets through, as written and after decoding, so that no part of it can end a header line, a
/// log line or a file name.
package struct RequestTarget: Hashable, Sendable {
    /// The decoded path; starts with a slash.
    package let path: String
    /// The path as the client wrote it, for links back.
    package let rawPath: String
    private let query: [Parameter]

    private struct Parameter: Hashable {
        var name: String
        var value: String
    }

    /// Reads origin-form (`/v2/…?n=1`), and absolute-form for `http` and `https`, whose authority is ignored: a server
    /// must accept it (RFC 9112, 3.2.2).
    package init(_ text: String) throws(RouteError) {
        guard text.utf8.allSatisfy({ $0.isPrintable && $0 != UInt8(ascii: "#") }) else { throw .malformed }
        guard let originForm = Self.originForm(of: text) else { throw .malformed }
        let mark = originForm.utf8.firstIndex(of: UInt8(ascii: "?"))
        let rawPath = originForm[..<(mark ?? originForm.endIndex)]
        self.rawPath = String(rawPath)
        // An encoded slash has no meaning in the registry API, and would hide the path's structure.
        path = try Self.decoded(rawPath, forbidding: UInt8(ascii: "/"))
        query = try Self.parameters(in: originForm[rawPath.endIndex...].dropFirst())
    }

    /// The first parameter of that name, or `nil` when there is none or it is empty.
    package func parameter(_ name: String) -> String? {
        query.first { $0.name == name }.flatMap { $0.value.isEmpty ? nil : $0.value }
    }

    /// The path and query of a target in one of the two forms, or `nil` when it has neither.
    package static func originForm(of text: String) -> Substring? {
        if text.utf8.first == UInt8(ascii: "/") { return text[...] }
        for scheme in ["http://", "https://"] where text.prefix(scheme.utf8.count).lowercased() == scheme {
            let rest = text.dropFirst(scheme.utf8.count)
            guard let start = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else { return "/" }
            return rest[start] == "/" ? rest[start...] : "/" + rest[start...]
        }
        return nil
    }

    private static func parameters(in query: Substring) throws(RouteError) -> [Parameter] {
        var parameters: [Parameter] = []
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // A plus stays a plus: no parameter here may hold a space, and media types have pluses.
            parameters.append(
                Parameter(
                    name: try decoded(parts[0]),
                    value: parts.count == 2 ? try decoded(parts[1]) : ""
                )
            )
        }
        return parameters
    }

    private static func decoded(_ text: Substring, forbidding forbidden: UInt8? = nil) throws(RouteError) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        var bytes = text.utf8.makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "%") else {
                result.append(byte)
                continue
            }
            guard let high = bytes.next()?.hexValue, let low = bytes.next()?.hexValue else { throw .malformed }
            let decoded = high << 4 | low
            guard decoded.isPrintable, decoded != forbidden else { throw .malformed }
            result.append(decoded)
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension UInt8 {
    /// Whether this is a visible ASCII character.
    fileprivate var isPrintable: Bool { (0x21...0x7e).contains(self) }

    fileprivate var hexValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
