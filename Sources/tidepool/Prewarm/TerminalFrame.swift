/// What is drawn at the end of a terminal's output, over itself.
///
/// Pure: makes the text that turns one frame into the next. One text a frame, nothing erased before it is written over,
/// and the whole between the marks of a synchronised update, so that nothing flickers.
struct TerminalFrame {
    /// The lengths of the lines that stand there, of which the last has the cursor at its end.
    private var drawn: [Int] = []

    /// ECMA-48 and DEC private modes.
    private enum Control {
        static let escape = "\u{1b}["
        static let hideCursor = escape + "?25l"
        static let showCursor = escape + "?25h"
        static let eraseToEndOfLine = escape + "K"
        static let eraseBelow = escape + "J"
        static let beginUpdate = escape + "?2026h"
        static let endUpdate = escape + "?2026l"
        static let clipLines = escape + "?7l"
        static let breakLines = escape + "?7h"
        static func up(_ count: Int) -> String { count > 0 ? "\(escape)\(count)A" : "" }
    }

    var isEmpty: Bool { drawn.isEmpty }

    /// The text that puts `lines` where the last frame is, with `above` before them, which stay for good.
    ///
    /// `columns` is the terminal's width now: if it has become narrower, the lines of the last frame were broken.
    mutating func draw(_ lines: [String], above: [String] = [], columns: Int) -> String {
        guard !(lines.isEmpty && above.isEmpty && drawn.isEmpty) else { return "" }
        var text = drawn.isEmpty ? Control.hideCursor : ""
        text += Control.beginUpdate + "\r" + Control.up(rows(columns: columns) - 1)
        for line in above { text += line + Control.eraseToEndOfLine + "\r\n" }
        // A terminal that has become narrower, and has not said so yet, clips lines rather than break them.
        text += Control.clipLines + lines.map { $0 + Control.eraseToEndOfLine }.joined(separator: "\r\n")
        text += Control.breakLines + Control.eraseBelow + Control.endUpdate
        drawn = lines.map(\.count)
        if lines.isEmpty { text += Control.showCursor }
        return text
    }

    /// The text that takes the frame away and gives the cursor back.
    mutating func erase(columns: Int) -> String { draw([], columns: columns) }

    /// How many rows the last frame takes in a terminal of this width.
    private func rows(columns: Int) -> Int {
        drawn.reduce(0) { $0 + max(1, ($1 + columns - 1) / max(1, columns)) }
    }
}
