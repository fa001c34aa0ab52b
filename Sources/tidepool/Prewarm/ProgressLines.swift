import MirrorCore

/// A run's progress as lines of a terminal: a bar for each image, and one line for all.
///
/// Pure: no line has more than `columns` characters, and what moves has a fixed place, so that nothing jumps.
struct ProgressLines {
    var columns: Int
    /// How many lines there may be.
    var rows = 12

    func lines(_ progress: PrewarmProgress, at now: Duration) -> [String] {
        if let lookedUp = progress.lookedUp { return [cut("looking at tags: \(lookedUp.done) of \(lookedUp.total)")] }
        guard progress.total > 0 else { return [] }
        let shown = progress.images.prefix(max(1, rows - 2))
        var lines = shown.map { line(for: $0, at: now) }
        let others = progress.images.count - shown.count
        if others > 0 { lines.append(cut("and \(Amount.count(others, "image")) more on the way")) }
        lines.append(cut(summary(progress, at: now)))
        return lines
    }

    private func summary(_ progress: PrewarmProgress, at now: Duration) -> String {
        var parts = [
            "\(progress.ended) of \(Amount.count(progress.total, "image"))",
            "\(Amount.bytes(progress.bytes)) fetched",
        ]
        if let rate = progress.meter.rate(at: now) { parts.append("\(Amount.bytes(Int(rate)))/s") }
        for (upstream, moment) in progress.waiting.sorted(by: { $0.key.text < $1.key.text }) {
            parts.append("waiting for quota of \(upstream) until \(Clock.time(of: moment))")
        }
        return parts.joined(separator: ", ")
    }

    private func line(for image: PrewarmProgress.Image, at now: Duration) -> String {
        guard let total = image.total else { return cut("\(name(image.name)) reading manifests") }
        let share = total > 0 ? min(1, max(0, Double(image.received) / Double(total))) : 1
        let amount = "\(padded(Amount.bytes(image.received), 8)) of \(padded(Amount.bytes(total), 8))"
        let rate = image.meter.rate(at: now)
        let speed = padded(rate.map { "\(Amount.bytes(Int($0)))/s" } ?? "", 10)
        let left = padded(rate.map { Clock.left(seconds: Double(total - image.received) / $0) } ?? "", 7)
        let percent = padded("\(Int(share * 100))%", 4)
        // What is least missed goes first when there is little room.
        let forms = [[amount, speed, left], [amount, speed], [amount], [percent]]
        let numbers = forms.first { nameWidth + Self.shortestBar + 3 + Self.width($0) <= columns } ?? [percent]
        let bar = columns - nameWidth - 3 - Self.width(numbers)
        let parts = [name(image.name), bar >= Self.shortestBar ? self.bar(share, bar - 2) : nil] + numbers
        return cut(parts.compactMap(\.self).joined(separator: " "))
    }

    private static let shortestBar = 8

    /// The characters of some texts with a space between them.
    private static func width(_ texts: [String]) -> Int { texts.reduce(-1) { $0 + $1.count + 1 } }

    private var nameWidth: Int { min(32, max(10, columns * 3 / 10)) }

    /// A name in its place; of one that is too long the end stays, with the tag.
    private func name(_ name: String) -> String {
        guard name.count > nameWidth else { return name + String(repeating: " ", count: nameWidth - name.count) }
        return ".." + name.suffix(nameWidth - 2)
    }

    private func bar(_ share: Double, _ width: Int) -> String {
        let full = Int(share * Double(width))
        return "[" + String(repeating: "#", count: full) + String(repeating: ".", count: width - full) + "]"
    }

    private func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private func cut(_ line: String) -> String { String(line.prefix(columns)) }
}

/// Times as people read them.
enum Clock {
    /// `0:42`, `1:02:03`; `>99 h` for what nobody waits for.
    static func left(seconds: Double) -> String {
        guard seconds < 360_000 else { return ">99 h" }
        let whole = max(0, Int(seconds.rounded(.up)))
        let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
        return hours > 0 ? "\(hours):\(two(minutes)):\(two(rest))" : "\(minutes):\(two(rest))"
    }

    /// `0.4 s`, `42 s`, `3 min 20 s`, `1 h 5 min`.
    static func duration(_ duration: Duration) -> String {
        let whole = Int(duration.seconds.rounded())
        switch whole {
        case ..<10: return "\((duration.seconds * 10).rounded() / 10) s"
        case ..<60: return "\(whole) s"
        case ..<3600: return "\(whole / 60) min \(whole % 60) s"
        default: return "\(whole / 3600) h \(whole / 60 % 60) min"
        }
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
