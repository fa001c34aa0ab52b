import Locking
import MirrorCore
import OCI

/// The care of the cache, without any of the real index's economy: everything is looked at, and sorted.
extension MemoryCacheIndex: CacheInventory {
    struct ObjectKey: Hashable {
        var digest: Digest
        var kind: ContentKind
    }

    struct ObjectUse: Hashable {
        var use: Int
        var landedAt: WallTime
        var usedAt: WallTime
    }

    package var isRebuildPending: Bool { state.withLock { $0.isRebuildPending } }

    package func evictionCandidates(
        of kind: ContentKind,
        after cursor: IndexCursor?,
        limit: Int,
        protecting isProtected: (Digest) -> Bool
    ) async -> EvictionPage {
        let entries = state.withLock { state in
            state.uses.keys.filter { $0.kind == kind }
                .map { (place: order(state.closureUse(of: $0)) + $0.digest.hex, object: state.object($0)) }
        }
        let page = Self.page(entries.sorted { $0.place < $1.place }, after: cursor, limit, \.place)
        let candidates = page.elements.compactMap(\.object)
            .filter { object in
                let key = ObjectKey(digest: object.digest, kind: kind)
                guard isPinned(object.digest) || isProtected(object.digest) else { return true }
                state.withLock { $0.touch(key) }
                return false
            }
        return EvictionPage(candidates: candidates, next: page.next, recordsRead: entries.count)
    }

    package func storedObject(_ digest: Digest, _ kind: ContentKind) -> StoredObject? {
        state.withLock { $0.object(ObjectKey(digest: digest, kind: kind)) }
    }

    package func storedObjects(
        of kind: ContentKind,
        after cursor: IndexCursor?,
        limit: Int
    ) -> IndexPage<StoredObject> {
        let objects = state.withLock { state in
            state.uses.keys.filter { $0.kind == kind }.compactMap { state.object($0) }
        }
        return Self.page(objects.sorted { $0.digest.hex < $1.digest.hex }, after: cursor, limit) { $0.digest.hex }
    }

    package func repositories(after cursor: IndexCursor?, limit: Int) -> IndexPage<Repository> {
        let all = state.withLock { state in
            Set(state.tags.keys.map(\.repository) + state.members.keys.map(\.repository) + state.pins.map(\.repository))
        }
        return Self.page(all.sorted { $0.description < $1.description }, after: cursor, limit, \.description)
    }

    package func tags(of repository: Repository, after cursor: IndexCursor?, limit: Int) -> IndexPage<TagEntry> {
        let all = state.withLock { $0.tags.filter { $0.key.repository == repository } }
            .map { TagEntry(tag: $0.key.tag, record: $0.value) }
        return Self.page(all.sorted { $0.tag.text < $1.tag.text }, after: cursor, limit, \.tag.text)
    }

    package func members(of repository: Repository, after cursor: IndexCursor?, limit: Int) -> IndexPage<MemberEntry> {
        let all = state.withLock { $0.members.filter { $0.key.repository == repository } }
            .map { MemberEntry(digest: $0.key.digest, kind: $0.key.kind, membership: $0.value) }
        let name = { (member: MemberEntry) in "\(member.kind.rawValue)\(member.digest.hex)" }
        return Self.page(all.sorted { name($0) < name($1) }, after: cursor, limit, name)
    }

    package func parents(of digest: Digest, after cursor: IndexCursor?, limit: Int) -> IndexPage<Digest> {
        let all = state.withLock { Array(($0.claims[digest] ?? [:]).keys) }
        return Self.page(all.sorted { $0.hex < $1.hex }, after: cursor, limit, \.hex)
    }

    package func pins(after cursor: IndexCursor?, limit: Int) -> IndexPage<Pin> {
        let all = state.withLock { $0.pins }
        let name = { (pin: Pin) in "\(pin.repository) \(pin.reference)" }
        return Self.page(all.sorted { name($0) < name($1) }, after: cursor, limit, name)
    }

    package func isPinned(_ digest: Digest) -> Bool {
        state.withLock { state in
            !state.closure(of: digest).isDisjoint(with: state.pinnedDigests)
        }
    }

    /// All at once, whatever the limit.
    package func prune(
        olderThan time: WallTime,
        after cursor: IndexCursor?,
        limit: Int
    ) async throws(IndexError) -> PrunedPage {
        state.withLock { state in
            let count = state.members.count + state.tags.count + state.lists.count
            state.members = state.members.filter { key, membership in
                membership.provedAt >= time || state.uses[ObjectKey(digest: key.digest, kind: key.kind)] != nil
            }
            state.tags = state.tags.filter { key, record in
                record.checkedAt >= time || state.manifests[record.digest] != nil
                    || record.held.map { state.manifests[$0.digest] != nil } ?? false
                    || state.pins.contains { $0.repository == key.repository && $0.reference == .tag(key.tag) }
            }
            state.lists = state.lists.filter { $0.value.checkedAt >= time }
            var removed = count - state.members.count - state.tags.count - state.lists.count
            for (child, parents) in state.claims {
                let kept = parents.filter { state.manifests[$0.key] != nil }
                removed += parents.count - kept.count
                state.claims[child] = kept.isEmpty ? nil : kept
            }
            return PrunedPage(removed: removed, next: nil)
        }
    }

    package func bookmark(_ bookmark: Bookmark) -> [UInt8]? { state.withLock { $0.bookmarks[bookmark] } }

    package func recount() async throws(IndexError) -> StoredTotals { totals() }

    /// A page of sorted elements; `name` sorts as they do.
    private static func page<Element>(
        _ sorted: [Element],
        after cursor: IndexCursor?,
        _ limit: Int,
        _ name: (Element) -> String
    ) -> IndexPage<Element> {
        let previous = cursor.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
        let rest = sorted.drop { cursor != nil && name($0) <= previous }
        let elements = Array(rest.prefix(limit))
        let next = elements.count < rest.count ? elements.last.map { IndexCursor(Array(name($0).utf8)) } : nil
        return IndexPage(elements: elements, next: next)
    }
}

/// A number that sorts as text.
private func order(_ use: Int) -> String {
    let digits = String(use)
    return String(repeating: "0", count: 20 - digits.count) + digits
}

extension MemoryCacheIndex.State {
    mutating func touch(_ key: MemoryCacheIndex.ObjectKey) {
        guard uses[key] != nil else { return }
        lastUse += 1
        uses[key]?.use = lastUse
        uses[key]?.usedAt = .now()
    }

    mutating func land(_ key: MemoryCacheIndex.ObjectKey) {
        lastUse += 1
        uses[key] = MemoryCacheIndex.ObjectUse(use: lastUse, landedAt: .now(), usedAt: .now())
    }

    mutating func remove(_ key: MemoryCacheIndex.ObjectKey) {
        uses[key] = nil
        switch key.kind {
        case .manifest: manifests[key.digest] = nil
        case .blob: blobs[key.digest] = nil
        }
    }

    func object(_ key: MemoryCacheIndex.ObjectKey) -> StoredObject? {
        let size = key.kind == .manifest ? manifests[key.digest]?.count : blobs[key.digest]
        guard let size, let use = uses[key] else { return nil }
        return StoredObject(
            digest: key.digest,
            kind: key.kind,
            size: size,
            landedAt: use.landedAt,
            usedAt: use.usedAt
        )
    }

    /// The digest itself and all above it.
    func closure(of digest: Digest) -> Set<Digest> {
        var found: Set = [digest]
        var level = [digest]
        while !level.isEmpty {
            level = level.flatMap { claims[$0].map { Array($0.keys) } ?? [] }.filter { found.insert($0).inserted }
        }
        return found
    }

    func closureUse(of key: MemoryCacheIndex.ObjectKey) -> Int {
        let above = closure(of: key.digest).subtracting([key.digest])
        let inherited = above.compactMap { uses[MemoryCacheIndex.ObjectKey(digest: $0, kind: .manifest)]?.use }
        return max(uses[key]?.use ?? 0, inherited.max() ?? 0)
    }

    var pinnedDigests: Set<Digest> {
        var digests: Set<Digest> = []
        for pin in pins {
            switch pin.reference {
            case .digest(let digest): digests.insert(digest)
            case .tag(let tag):
                guard let record = tags[MemoryCacheIndex.TagKey(repository: pin.repository, tag: tag)] else { continue }
                digests.insert(record.digest)
                if let held = record.held { digests.insert(held.digest) }
            }
        }
        return digests
    }
}
