package import MirrorCore
import OCI
import Posix

/// Walking through what is stored: a shard at a time, in the order of the digests.
extension DiskBlobStore {
    package func stored(
        _ kind: ContentKind,
        from position: WalkPosition
    ) async throws(StoreError) -> StoredBatch {
        try await threads.run { [self] () throws(StoreError) in
            try storing { () throws(SystemCallError) in try StoreWalk(kind, in: self).batch(from: position) }
        }
    }
}

/// One kind of content, as its directories have it.
struct StoreWalk {
    private let kind: ContentKind
    private let store: DiskBlobStore
    private var contents: [StoredContent] = []
    private var foreign: [String] = []

    private static let shardNames = (0...255)
        .map { number in (number < 16 ? "0" : "") + String(number, radix: 16) }
    private static let end = Digest.Algorithm.allCases.count * shardNames.count

    init(_ kind: ContentKind, in store: DiskBlobStore) {
        self.kind = kind
        self.store = store
    }

    private var layout: Layout { store.layout }

    /// The first shard from a position on that has something in it; waits for the disk.
    func batch(from position: WalkPosition) throws(SystemCallError) -> StoredBatch {
        var walk = self
        var number = max(0, position.rawValue)
        while number < Self.end, walk.contents.isEmpty, walk.foreign.isEmpty {
            try walk.visit(number)
            number += 1
        }
        return StoredBatch(
            contents: walk.contents,
            foreign: walk.foreign,
            next: number < Self.end ? WalkPosition(rawValue: number) : nil,
            progress: Double(min(number, Self.end)) / Double(Self.end)
        )
    }

    private mutating func visit(_ number: Int) throws(SystemCallError) {
        let (position, shard) = number.quotientAndRemainder(dividingBy: Self.shardNames.count)
        let algorithm = Digest.Algorithm.allCases[position]
        let directory = layout.contents(kind, algorithm)
        if number == 0 {
            try noteForeign(in: layout.contents(kind), but: Set(Digest.Algorithm.allCases.map(\.rawValue)))
        }
        if shard == 0 { try noteForeign(in: directory, but: Set(Self.shardNames)) }
        let path = "\(directory)/\(Self.shardNames[shard])"
        switch try File.status(of: path)?.kind {
        case .directory: try read(shard: path, of: algorithm, prefix: Self.shardNames[shard])
        case nil: break
        default: foreign.append(relative(path))
        }
    }

    private mutating func read(
        shard: String,
        of algorithm: Digest.Algorithm,
        prefix: String
    ) throws(SystemCallError) {
        for name in try Directory.names(in: shard).sorted() {
            // What goes away meanwhile was met too late.
            guard let status = try File.status(of: "\(shard)/\(name)") else { continue }
            if status.kind == .regular, name.hasPrefix(prefix),
                let digest = try? Digest("\(algorithm.rawValue):\(name)")
            {
                contents.append(
                    StoredContent(digest: digest, size: status.size, isDoubtful: !store.isVouchedFor(status))
                )
            } else {
                foreign.append(relative("\(shard)/\(name)"))
            }
        }
    }

    private mutating func noteForeign(in directory: String, but known: Set<String>) throws(SystemCallError) {
        for name in try Directory.names(in: directory).sorted() where !known.contains(name) {
            foreign.append(relative("\(directory)/\(name)"))
        }
    }

    private func relative(_ path: String) -> String { String(path.dropFirst(layout.root.count + 1)) }
}
