import MirrorCore

/// Those who wait for something, in the order in which they get it.
///
/// The most urgent purpose goes first; among equals the clients take turns, and each client's own come in order. So one
/// address with hundreds of requests does not delay another's first. The purpose is read when the next one is chosen: it
/// may have become more urgent since.
struct FairQueue<Element> {
    struct Entry {
        let id: UInt64
        let errand: Errand
        let element: Element
    }

    /// One client's entries, oldest first; never empty.
    private struct Line {
        let client: String
        var entries: [Entry]
    }

    /// The client whose turn is next comes first.
    private var lines: [Line] = []
    private(set) var count = 0

    var isEmpty: Bool { lines.isEmpty }

    mutating func append(_ entry: Entry) {
        count += 1
        if let line = lines.firstIndex(where: { $0.client == entry.errand.client }) {
            lines[line].entries.append(entry)
        } else {
            lines.append(Line(client: entry.errand.client, entries: [entry]))
        }
    }

    /// Takes out the one whose turn it is.
    mutating func next() -> Entry? {
        guard let (line, position) = mostUrgent() else { return nil }
        count -= 1
        var served = lines.remove(at: line)
        let entry = served.entries.remove(at: position)
        // Its client goes to the end.
        if !served.entries.isEmpty { lines.append(served) }
        return entry
    }

    private func mostUrgent() -> (line: Int, position: Int)? {
        var best: (line: Int, position: Int, purpose: Purpose)?
        for (line, waiting) in lines.enumerated() {
            for (position, entry) in waiting.entries.enumerated() {
                let purpose = entry.errand.purpose
                if purpose == .pull { return (line, position) }
                if best.map({ purpose < $0.purpose }) ?? true { best = (line, position, purpose) }
            }
        }
        return best.map { ($0.line, $0.position) }
    }

    /// Takes out the one that is to give its place in a full queue to a newcomer; `nil` if the newcomer is to go away.
    ///
    /// Less urgent work goes first. Among equals the client that has the most gives, if it has more than the newcomer's
    /// would then have. It is the last to come that goes: it has waited for the least.
    mutating func displace(for newcomer: Errand) -> Entry? {
        let purpose = newcomer.purpose
        let least = lines.lazy.flatMap(\.entries).map(\.errand.purpose).max() ?? purpose
        if purpose < least {
            let newest = lines.lazy.flatMap(\.entries).filter { $0.errand.purpose == least }.max { $0.id < $1.id }
            return newest.flatMap { remove($0.id) }
        }
        guard purpose == least, let longest = lines.max(by: { $0.entries.count < $1.entries.count }) else { return nil }
        let own = lines.first { $0.client == newcomer.client }?.entries.count ?? 0
        guard longest.entries.count > own + 1 else { return nil }
        let newest = longest.entries.last { $0.errand.purpose == purpose }
        return newest.flatMap { remove($0.id) }
    }

    /// Takes out an entry that waits no longer.
    mutating func remove(_ id: UInt64) -> Entry? {
        removeAll { $0.id == id }.first
    }

    /// Takes out all of a kind.
    mutating func removeAll(where isRemoved: (Entry) -> Bool) -> [Entry] {
        let removed = lines.flatMap { $0.entries.filter(isRemoved) }
        guard !removed.isEmpty else { return [] }
        for line in lines.indices { lines[line].entries.removeAll(where: isRemoved) }
        lines.removeAll { $0.entries.isEmpty }
        count -= removed.count
        return removed
    }
}
