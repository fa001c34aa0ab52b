extension Duration {
    /// Reads a whole number and a unit: `500ms`, `30s`, `5m`, `12h`, `30d`.
    ///
    /// Fails on anything else, a number that does not fit included.
    package init?(settingsText text: some StringProtocol) {
        let (digits, unit) = text.numberAndUnit
        guard let number = Int64(digits), let factor = units.first(where: { $0.name == unit })?.milliseconds else {
            return nil
        }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { return nil }
        self = .milliseconds(milliseconds)
    }

    /// The duration in the largest unit that gives a whole number, as settings write it.
    package var settingsText: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        guard milliseconds != 0 else { return "0s" }
        let unit = units.first { milliseconds.isMultiple(of: $0.milliseconds) } ?? ("ms", 1)
        return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }
}

// Largest first.
private let units: [(name: String, milliseconds: Int64)] = [
    ("d", 86_400_000), ("h", 3_600_000), ("m", 60000), ("s", 1000), ("ms", 1),
]
