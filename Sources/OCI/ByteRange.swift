/// The ranges that a `Range` header asks for (RFC 9110, 14.1.2).
package struct ByteRange: Hashable, Sendable {
    /// More ranges than this are not worth their parts: the whole is sent instead.
    package static let maximumCount = 16

    /// What to send of a body of known size.
    package enum Selection: Hashable, Sendable {
        case whole
        /// Non-empty ranges within the body, in the order asked for; together no longer than the body.
        case parts([Range<Int>])
        /// Nothing of it: 416.
        case unsatisfiable
    }

    private enum Spec: Hashable {
        case between(Int, Int)
        case suffix(Int)
    }

    private let specs: [Spec]
    private static let unit = "bytes="

    /// Reads a header's value; returns `nil` for one that is to be ignored: another unit, or not the grammar.
    package init?(_ header: String) {
        // By bytes: a part of a blob is asked for in every request of some clients.
        guard header.utf8.count > Self.unit.count,
            zip(header.utf8, Self.unit.utf8).allSatisfy({ $0 == $1 || $0 | 0x20 == $1 && $1 != UInt8(ascii: "=") })
        else { return nil }
        var specs: [Spec] = []
        for element in header.utf8.dropFirst(Self.unit.count).split(separator: UInt8(ascii: ",")) {
            let text = element.trimmingSpaces
            // Empty elements of a list are allowed (RFC 9110, 5.6.1).
            if text.isEmpty { continue }
            guard let spec = Self.spec(text) else { return nil }
            specs.append(spec)
        }
        guard !specs.isEmpty else { return nil }
        self.specs = specs
    }

    /// Fits the ranges to a body: ends beyond it are cut, ranges outside of it dropped.
    package func selection(ofSize size: Int) -> Selection {
        // Clients that always send a range must be able to read an empty blob, which has none.
        guard size > 0, specs.count <= Self.maximumCount else { return .whole }
        let ranges = specs.compactMap { Self.range($0, ofSize: size) }
        guard !ranges.isEmpty else { return .unsatisfiable }
        guard ranges.count > 1 else { return .parts(ranges) }
        // Overlaps could make a body much larger than the blob; counted down, so that nothing overflows.
        var left = size
        for range in ranges {
            guard range.count <= left else { return .whole }
            left -= range.count
        }
        return .parts(ranges)
    }

    private static func range(_ spec: Spec, ofSize size: Int) -> Range<Int>? {
        switch spec {
        case .between(let first, let last):
            // A reversed range breaks the grammar, but every other server answers 416.
            guard first < size, first <= last else { return nil }
            return first..<min(last, size - 1) + 1
        case .suffix(let length):
            guard length > 0 else { return nil }
            return max(0, size - length)..<size
        }
    }

    private static func spec(_ text: Substring.UTF8View) -> Spec? {
        guard let dash = text.firstIndex(of: UInt8(ascii: "-")) else { return nil }
        let first = text[..<dash]
        let last = text[text.index(after: dash)...]
        if first.isEmpty { return number(last).map(Spec.suffix) }
        guard let first = number(first) else { return nil }
        if last.isEmpty { return .between(first, .max) }
        return number(last).map { .between(first, $0) }
    }

    /// A number of any length; what does not fit an `Int` is beyond every blob.
    private static func number(_ digits: Substring.UTF8View) -> Int? {
        guard !digits.isEmpty else { return nil }
        var value = 0
        for byte in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            value = overflow || carry || value == .max ? .max : sum
        }
        return value
    }
}

extension Substring.UTF8View {
    fileprivate var trimmingSpaces: Substring.UTF8View {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
            return self[startIndex..<startIndex]
        }
        return self[first...last]
    }
}
