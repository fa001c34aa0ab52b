import Foundation
import Locking
import MirrorCore
import Posix
import RegistryHTTP

/// Where the results of looking after the cache go: lines to standard output, progress to standard error.
///
/// Progress is a bar that is drawn over itself, and only on a terminal.
final class CareConsole: Sendable {
    private let columns: Int?
    private let isBarDrawn = Locked(false)

    init() {
        columns = Terminal.standardError?.columns
    }

    func line(_ text: String) {
        clear()
        Console.result(text)
    }

    func json(_ line: CareLine) {
        Console.result(String(decoding: line.json, as: UTF8.self))
    }

    func show(_ progress: CareProgress) {
        guard let columns else { return }
        isBarDrawn.withLock { $0 = true }
        Console.raw("\r" + ProgressBar(columns: columns - 1).text(progress))
    }

    /// Takes the bar away, if there is one.
    func clear() {
        let wasDrawn = isBarDrawn.withLock { isDrawn in
            defer { isDrawn = false }
            return isDrawn
        }
        // ECMA-48: erase the line.
        if wasDrawn { Console.raw("\r\u{1b}[2K") }
    }
}

/// How far a verification is, in one line.
struct ProgressBar {
    var columns: Int

    /// By how much the text before may have been longer.
    private static let margin = 4

    func text(_ progress: CareProgress) -> String {
        // What was stored since is beyond the whole.
        let share = progress.totalBytes > 0 ? min(1, Double(progress.bytes) / Double(progress.totalBytes)) : 1
        let numbers = "\(Int(share * 100))%  \(Amount.bytes(progress.bytes)) of \(Amount.bytes(progress.totalBytes))"
        // Brackets, a space, and what is kept to draw over a longer text.
        let width = min(40, columns - numbers.count - 3 - Self.margin)
        guard width >= 10 else { return padded(numbers) }
        let full = Int(share * Double(width))
        let bar = String(repeating: "#", count: full) + String(repeating: ".", count: width - full)
        return padded("[\(bar)] \(numbers)")
    }

    private func padded(_ text: String) -> String {
        text + String(repeating: " ", count: max(0, min(Self.margin, columns - text.count)))
    }
}

/// Amounts as people read them.
enum Amount {
    /// `68.2 MB`: units of 1000, as the settings have them.
    static func bytes(_ count: Int) -> String {
        let units = ["kB", "MB", "GB", "TB", "PB"]
        guard count >= 1000 else { return "\(count) B" }
        var value = Double(count) / 1000
        var unit = 0
        while value >= 999.95, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return "\((value * 10).rounded() / 10) \(units[unit])"
    }

    /// `5 min`: the largest unit of which there is one.
    static func age(of time: WallTime?, at now: WallTime) -> String {
        guard let time, time.milliseconds > 0 else { return "-" }
        let seconds = max(0, (now.milliseconds - time.milliseconds) / 1000)
        switch seconds {
        case ..<60: return "\(seconds) s"
        case ..<3600: return "\(seconds / 60) min"
        case ..<86_400: return "\(seconds / 3600) h"
        case ..<(730 * 86_400): return "\(seconds / 86_400) d"
        default: return "\(seconds / (365 * 86_400)) y"
        }
    }

    /// `1 blob`, `2 blobs`.
    static func count(_ number: Int, _ thing: String, _ plural: String? = nil) -> String {
        "\(number) \(number == 1 ? thing : plural ?? "\(thing)s")"
    }
}
