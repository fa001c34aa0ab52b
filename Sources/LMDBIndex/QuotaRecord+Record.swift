import MirrorCore

/// An account of the ledger: flags for the numbers that are there, those numbers, what was spent, then the source.
///
/// A number that is added later gets a flag of its own, so that records from before it can still be read. A record with
/// flags that are not known was made by a later version, and is none.
extension QuotaRecord: Record {
    private static let sourceFlag: UInt16 = 1 << 15
    /// Limits of what can be calculated with: beyond them, a record is damaged.
    private static let counts = 0...Int64(1) << 40
    private static let times = -(Int64(1) << 50)...Int64(1) << 50

    /// The numbers, each with its flag by its place; appended to, never reordered.
    private var numbers: [Int64?] {
        [
            limit.map(Int64.init), window?.wholeMilliseconds, remaining.map(Int64.init),
            observedAt?.milliseconds, windowBeganAt?.milliseconds, exhaustedUntil?.milliseconds,
        ]
    }

    init?(record: Span<UInt8>) {
        guard var reader = RecordReader(record),
            let flags = reader.integer(UInt16.self, in: record),
            let revision = reader.integer(UInt64.self, in: record),
            let unreflected = reader.integer(Int64.self, in: record), Self.counts.contains(unreflected)
        else { return nil }
        self.init()
        self.revision = revision
        self.unreflected = Int(unreflected)
        let places = numbers.indices
        guard flags & ~Self.sourceFlag < 1 << UInt16(places.count) else { return nil }
        for place in places where flags & 1 << UInt16(place) != 0 {
            guard let number = reader.integer(Int64.self, in: record), take(number, at: place) else { return nil }
        }
        guard takeSpent(&reader, record), let rest = reader.restAsText(of: record) else { return nil }
        guard flags & Self.sourceFlag != 0 || rest.isEmpty else { return nil }
        source = flags & Self.sourceFlag != 0 ? rest : nil
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        let present = numbers.enumerated().filter { $0.element != nil }.map { UInt16(1) << UInt16($0.offset) }
        writer.append(present.reduce(source == nil ? 0 : Self.sourceFlag, |))
        writer.append(revision)
        writer.append(Int64(unreflected))
        for number in numbers { if let number { writer.append(number) } }
        let purposes = Purpose.allCases.filter { spentInWindow[$0] != nil || spentEver[$0] != nil }
        writer.append(UInt8(purposes.count))
        for purpose in purposes {
            writer.append(purpose.code)
            writer.append(Int64(spentInWindow[purpose] ?? 0))
            writer.append(Int64(spentEver[purpose] ?? 0))
        }
        writer.append(rest: (source ?? "").utf8)
        return writer.bytes
    }

    /// Puts a number in its place; fails for one that cannot be there.
    private mutating func take(_ number: Int64, at place: Int) -> Bool {
        let time = WallTime(milliseconds: number)
        switch place {
        case 0: limit = Int(number)
        case 1: window = .milliseconds(number)
        case 2: remaining = Int(number)
        case 3: observedAt = time
        case 4: windowBeganAt = time
        default: exhaustedUntil = time
        }
        return (place < 3 ? Self.counts : Self.times).contains(number)
    }

    private mutating func takeSpent(_ reader: inout RecordReader, _ record: Span<UInt8>) -> Bool {
        guard let count = reader.integer(UInt8.self, in: record) else { return false }
        for _ in 0..<count {
            guard let purpose = reader.integer(UInt8.self, in: record).flatMap(Purpose.init(code:)),
                let inWindow = reader.integer(Int64.self, in: record), Self.counts.contains(inWindow),
                let ever = reader.integer(Int64.self, in: record), Self.counts.contains(ever)
            else { return false }
            spentInWindow[purpose] = Int(inWindow)
            spentEver[purpose] = Int(ever)
        }
        return true
    }
}

extension Purpose {
    /// The purpose in records; on disk, so never to be renumbered.
    fileprivate var code: UInt8 {
        switch self {
        case .pull: 1
        case .prewarm: 2
        case .refresh: 3
        }
    }

    fileprivate init?(code: UInt8) {
        guard let purpose = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = purpose
    }
}
