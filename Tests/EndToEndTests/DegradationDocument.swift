import FoundationEssentials

/// The table of `docs/degradation.md`.
enum DegradationDocument {
    static let begin = "<!-- table: begin -->"
    static let end = "<!-- table: end -->"

    static let path = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "docs/degradation.md")

    /// The matrix as Markdown: one row for each way of failing.
    ///
    /// What is fresh, and what is cached and asked for by digest, is the same in all rows, and has no column.
    static var table: String {
        let subjects = DegradationMatrix.Subject.allCases.filter { !$0.isCached }
        var lines = [row(["the upstream"] + subjects.map(\.rawValue))]
        lines.append("|" + String(repeating: "---|", count: subjects.count + 1))
        for failure in DegradationMatrix.Failure.allCases {
            let cells = subjects.map { subject in
                let expected = DegradationMatrix.expectation(of: failure, subject)
                return "\(expected.outcome.text) (\(expected.requests))"
            }
            lines.append(row([failure.rawValue] + cells))
        }
        return lines.joined(separator: "\n")
    }

    private static func row(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }

    /// The document with the table in its place; `nil` when the markers are not there.
    static func rendered(_ document: String) -> String? {
        guard let start = document.firstRange(of: begin), let finish = document.firstRange(of: end),
            start.upperBound < finish.lowerBound
        else { return nil }
        return document[..<start.upperBound] + "\n" + table + "\n" + document[finish.lowerBound...]
    }
}

extension DegradationMatrix.Outcome {
    fileprivate var text: String {
        switch self {
        case .hit: "200"
        case .stale: "200 stale"
        case .fetched: "200"
        case .error(let status, let code): "\(status) `\(code)`"
        case .cut: "cut"
        }
    }
}
