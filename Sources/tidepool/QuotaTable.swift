import Foundation
import RegistryHTTP

/// The report of the quotas as people read it.
///
/// A table as wide as what is in it. Where the terminal is narrower, it gives up the bar, then the sources and what is 0,
/// and at last becomes a list: nothing is cut.
struct QuotaTable {
    /// The width that there is; `nil` for no bound, as in a file.
    var columns: Int?
    /// Whether what is left is drawn too.
    var hasBar = false
    var hasColour = false

    func text(_ report: QuotaReport, now: Date, timeZone: TimeZone) -> String {
        let lines = report.upstreams.map { entry in
            Line(row: QuotaRow(entry, now: now, timeZone: timeZone), level: Level(entry), share: Self.share(entry))
        }
        let layouts = [
            Layout(hasBar: hasBar, hasSource: true, isShort: false),
            Layout(hasBar: false, hasSource: true, isShort: false),
            Layout(hasBar: false, hasSource: false, isShort: true),
        ]
        for layout in layouts {
            let table = table(lines, layout)
            if table.width <= columns ?? .max { return table.text }
        }
        return list(lines)
    }

    /// The part of the limit that is left.
    private static func share(_ entry: QuotaReport.Entry) -> Double? {
        guard let limit = entry.limit, let remaining = entry.remaining, limit > 0 else { return nil }
        return min(1, max(0, Double(remaining) / Double(limit)))
    }
}

// MARK: - Table

extension QuotaTable {
    private struct Layout {
        var hasBar: Bool
        var hasSource: Bool
        var isShort: Bool
    }

    private struct Line {
        var row: QuotaRow
        var level: Level
        var share: Double?

        func cells(_ layout: Layout) -> [String] {
            let left = layout.hasBar ? "\(bar) \(row.left)" : row.left
            let cells = [row.upstream, row.account, left, row.window, row.back]
            let spent = layout.isShort ? row.spentInShort : row.spent
            return cells + [spent] + (layout.hasSource ? [row.source] : [])
        }

        /// Ten characters that every terminal has.
        private var bar: String {
            guard let share else { return String(repeating: " ", count: 12) }
            // Only what is all spent looks so.
            let full = share > 0 ? max(1, Int((share * 10).rounded())) : 0
            return "[" + String(repeating: "#", count: full) + String(repeating: ".", count: 10 - full) + "]"
        }
    }

    private static let titles = ["UPSTREAM", "ACCOUNT", "LEFT", "WINDOW", "BACK", "SPENT", "SOURCE"]
    /// The column that has the level's colour.
    private static let leftColumn = 2

    private func table(_ lines: [Line], _ layout: Layout) -> (text: String, width: Int) {
        let titles = Array(Self.titles.prefix(layout.hasSource ? 7 : 6))
        let rows = lines.map { $0.cells(layout) }
        let widths = titles.indices.map { column in ([titles] + rows).map { $0[column].count }.max() ?? 0 }
        let body = zip(rows, lines).map { row, line in Self.joined(row, widths) { paint($0, line.level, column: $1) } }
        let header = Self.joined(titles, widths) { text, _ in hasColour ? "\u{1b}[1m\(text)\u{1b}[0m" : text }
        let width = widths.reduce(0, +) + 2 * (widths.count - 1)
        return (([header] + body).joined(separator: "\n"), width)
    }

    /// The cells side by side, padded to their columns' widths but for the last.
    private static func joined(_ cells: [String], _ widths: [Int], _ paint: (String, Int) -> String) -> String {
        cells.indices
            .map { column in
                let padding = column == cells.count - 1 ? 0 : widths[column] - cells[column].count
                return paint(cells[column], column) + String(repeating: " ", count: padding)
            }
            .joined(separator: "  ")
    }

    private func list(_ lines: [Line]) -> String {
        lines.map { line in
            let row = line.row
            let items = [
                ("account", row.account), ("left", paint(row.left, line.level, column: Self.leftColumn)),
                ("window", row.window), ("back", row.back), ("spent", row.spent), ("source", row.source),
            ]
            let width = items.map(\.0.count).max() ?? 0
            let body = items.map { name, value in
                "  \(name)\(String(repeating: " ", count: width - name.count))  \(value)"
            }
            return ([row.upstream] + body).joined(separator: "\n")
        }
        .joined(separator: "\n")
    }
}

// MARK: - Colour

extension QuotaTable {
    /// How much there is left, in three.
    private enum Level {
        case plenty
        case little
        case nothing
        case untold

        init(_ entry: QuotaReport.Entry) {
            guard let share = QuotaTable.share(entry) else {
                self = entry.state == .exhausted ? .nothing : .untold
                return
            }
            self = share == 0 ? .nothing : share < 0.25 ? .little : .plenty
        }

        /// The SGR colour of ECMA-48.
        var colour: Int? {
            switch self {
            case .plenty: 32
            case .little: 33
            case .nothing: 31
            case .untold: nil
            }
        }
    }

    private func paint(_ text: String, _ level: Level, column: Int) -> String {
        guard hasColour, column == Self.leftColumn, let colour = level.colour else { return text }
        return "\u{1b}[\(colour)m\(text)\u{1b}[0m"
    }
}
