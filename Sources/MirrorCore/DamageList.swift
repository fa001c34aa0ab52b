import Locking
import OCI

/// What was found bad and has not been fetched again: `verify --repair` mends that too, whoever found it and whenever.
///
/// Kept in the index, a line an object, so that it outlives the process. What has come back meanwhile, because somebody asked
/// for it, is in it until the next look.
final class DamageList: Sendable {
    struct Entry: Hashable, Sendable {
        var digest: Digest
        var kind: ContentKind
        var problem: DamagedObject.Problem
    }

    /// Far more than a disk loses that is worth keeping; of more the first stay.
    private static let capacity = 1000

    private let index: any CacheInventory
    /// `nil` until it is first needed.
    private let state = Locked<[Entry]?>(nil)

    init(in index: any CacheInventory) {
        self.index = index
    }

    var entries: [Entry] { access { $0 } }

    func add(_ entry: Entry) {
        change { entries in
            guard entries.count < Self.capacity, !entries.contains(where: entry.isSameObject(as:)) else { return }
            entries.append(entry)
        }
    }

    func remove(_ entry: Entry) {
        change { $0.removeAll(where: entry.isSameObject(as:)) }
    }

    private func change(_ body: (inout [Entry]) -> Void) {
        let changed: [Entry] = access { entries in
            body(&entries)
            return entries
        }
        let text = changed.map(\.line).joined(separator: "\n")
        index.post([.bookmark(.damage, changed.isEmpty ? nil : Array(text.utf8))])
    }

    private func access<Result>(_ body: (inout [Entry]) -> Result) -> Result {
        let stored = index.bookmark(.damage) ?? []
        return state.withLock { state in
            var entries = state ?? String(decoding: stored, as: UTF8.self).split(separator: "\n").compactMap(Entry.init)
            defer { state = entries }
            return body(&entries)
        }
    }
}

extension DamageList.Entry {
    fileprivate var line: String { "\(kind.label) \(problem.rawValue) \(digest)" }

    fileprivate init?(line: Substring) {
        let words = line.split(separator: " ")
        guard words.count == 3, let kind = ContentKind.allCases.first(where: { $0.label == words[0] }),
            let problem = DamagedObject.Problem(rawValue: String(words[1])), let digest = try? Digest(String(words[2]))
        else { return nil }
        self.init(digest: digest, kind: kind, problem: problem)
    }

    fileprivate func isSameObject(as other: Self) -> Bool { digest == other.digest && kind == other.kind }
}
