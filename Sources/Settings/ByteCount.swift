/// A number of bytes, written `512B`, `32KiB`, `10GB`.
///
/// Units with an `i` are powers of 1024, those without are powers of 1000.
package struct ByteCount: Hashable, Sendable, Comparable {
    package var bytes: Int

    package init(bytes: Int) {
        self.bytes = bytes
    }

    /// Reads a whole number and a unit; a space may stand between them.
    ///
    /// Fails on anything else, a number that does not fit included.
    package init?(_ text: some StringProtocol) {
        let (digits, unit) = text.numberAndUnit
        guard let number = Int(digits), let factor = Self.units.first(where: { $0.name == unit })?.bytes else {
            return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { return nil }
        self.bytes = bytes
    }

    package static func < (left: Self, right: Self) -> Bool { left.bytes < right.bytes }

    /// Largest first; of two that divide alike, what people write more often.
    private static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("TB", 1_000_000_000_000),
        ("GiB", 1 << 30), ("GB", 1_000_000_000),
        ("MiB", 1 << 20), ("MB", 1_000_000),
        ("KiB", 1 << 10), ("KB", 1000),
        ("B", 1),
    ]
}

extension ByteCount: CustomStringConvertible {
    /// The count in the largest unit that gives a whole number.
    package var description: String {
        let unit = Self.units.first { bytes >= $0.bytes && bytes.isMultiple(of: $0.bytes) } ?? ("B", 1)
        return "\(bytes / unit.bytes)\(unit.name)"
    }
}

extension StringProtocol {
    /// The leading ASCII digits, and what follows them and one optional space.
    var numberAndUnit: (digits: String, unit: String) {
        let digits = prefix { $0.isASCII && $0.isNumber }
        var unit = dropFirst(digits.count)
        if unit.first == " " { unit = unit.dropFirst() }
        return (String(digits), String(unit))
    }
}
