import OCI

/// Taking away what people name, and what nobody needs.
///
/// The index first, and then the file: a crash in between leaves a file that nobody knows.
extension Caretaker {
    /// How long content that no manifest names may have been unused: its manifest may be about to come.
    private static let grace = Duration.seconds(3600)
    /// How long what is known of content that is gone is of use to anybody.
    private static let memory = Duration.seconds(180 * 86_400)

    // MARK: - An image

    func remove(_ name: ImageName, _ report: CareObserver) async throws(CareError) {
        if index.hasPin(name.reference, in: name.repository) { throw .pinned("\(name)") }
        var removed = RemovedTotal()
        switch name.reference {
        case .tag(let tag):
            guard let record = index.tag(tag, in: name.repository) else { throw .unknown("\(name)") }
            try await remove(tag, record, in: name.repository, &removed)
            for digest in Set([record.digest] + (record.held.map { [$0.digest] } ?? [])) {
                try await withdraw(digest, from: name.repository, &removed)
            }
        case .digest(let digest):
            try await remove(digest, name, &removed)
        }
        try await report(.removed(removed))
    }

    private func remove(
        _ tag: Tag,
        _ record: TagRecord,
        in repository: Repository,
        _ removed: inout RemovedTotal
    ) async throws(CareError) {
        try await commit([.tagRemoved(tag, in: repository)])
        removed.records += 1
    }

    /// A manifest that is named by its digest goes whatever leads to it, and the tags go with it.
    private func remove(_ digest: Digest, _ name: ImageName, _ removed: inout RemovedTotal) async throws(CareError) {
        let repository = name.repository
        guard index.membership(of: digest, as: .manifest, in: repository) != nil else { throw .unknown("\(name)") }
        guard !index.isPinned(digest) else { throw .pinned("\(name)") }
        for entry in try await tags(of: digest, in: repository) where entry.record.digest == digest {
            try await remove(entry.tag, entry.record, in: repository, &removed)
        }
        try await takeAway(digest, from: repository, isNamed: true, &removed)
    }

    private func tags(of digest: Digest, in repository: Repository) async throws(CareError) -> [TagEntry] {
        var found: [TagEntry] = []
        try await reader.eachTag(of: repository) { entry in
            if entry.record.digest == digest || entry.record.held?.digest == digest { found.append(entry) }
        }
        return found
    }

    /// Takes a manifest from a repository in which neither a tag, a pin nor an index needs it.
    private func withdraw(
        _ digest: Digest,
        from repository: Repository,
        _ removed: inout RemovedTotal
    ) async throws(CareError) {
        guard !index.hasPin(.digest(digest), in: repository), !reader.isReferenced(digest, in: repository),
            try await tags(of: digest, in: repository).isEmpty
        else { return }
        try await takeAway(digest, from: repository, isNamed: false, &removed)
    }

    /// Takes a manifest from a repository with its platforms, and out of the store when no other repository has it.
    ///
    /// One that was named goes though an index of its own repository lists it.
    private func takeAway(
        _ digest: Digest,
        from repository: Repository,
        isNamed: Bool,
        _ removed: inout RemovedTotal
    ) async throws(CareError) {
        let manifest = await reader.manifest(digest)
        try await commit([.membershipRemoved(digest, .manifest, in: repository)])
        let isElsewhere = try await reader.repositories(having: digest, .manifest).contains { $0 != repository }
        if !isElsewhere, isNamed || !reader.isReferenced(digest) {
            try await drop(digest, manifest, &removed)
        }
        for child in Set(manifest?.manifests.map(\.digest) ?? []) where child != digest {
            try await withdraw(child, from: repository, &removed)
        }
    }

    /// Removes a stored manifest, and the blobs that only it needed.
    private func drop(
        _ digest: Digest,
        _ manifest: Manifest?,
        _ removed: inout RemovedTotal
    ) async throws(CareError) {
        guard let object = index.storedObject(digest, .manifest), !index.isPinned(digest) else { return }
        try await evict([object], &removed)
        var blobs: [StoredObject] = []
        for blob in Set(manifest?.blobs.map(\.digest) ?? []) {
            guard let object = index.storedObject(blob, .blob), !reader.isReferenced(blob), !index.isPinned(blob) else {
                continue
            }
            blobs.append(object)
        }
        try await evict(blobs, &removed)
    }

    private func evict(_ objects: [StoredObject], _ removed: inout RemovedTotal) async throws(CareError) {
        guard !objects.isEmpty else { return }
        try await commit(objects.map { .evicted($0.digest, $0.kind) })
        for kind in ContentKind.allCases {
            let digests = objects.filter { $0.kind == kind }.map(\.digest)
            do throws(StoreError) {
                try await store.remove(digests, kind)
            } catch {
                throw CareError(error)
            }
        }
        removed.manifests += objects.count { $0.kind == .manifest }
        removed.blobs += objects.count { $0.kind == .blob }
        removed.bytes += objects.reduce(0) { $0 + $1.size }
    }

    // MARK: - What nobody needs

    /// Removes blobs that no stored manifest names, files that the index does not know, and old records.
    ///
    /// Manifests stay, and so does what is not recorded and good for something: it is taken in.
    func collect(_ report: CareObserver) async throws(CareError) {
        var removed = RemovedTotal()
        let now = time.wall()
        try await reader.eachObject(of: .blob) { object throws(CareError) in
            // What was used in a time to come was used when the clock was wrong.
            guard (object.usedAt.age(at: now) ?? .seconds(Int64.max)) > Self.grace,
                !reader.isReferenced(object.digest), !index.isPinned(object.digest),
                !store.isLeased(object.digest, .blob)
            else { return }
            try await evict([object], &removed)
        }
        // Manifests first: they tell which blobs are needed.
        for kind in CarePlace.start.kinds {
            try await reader.eachBatch(of: kind) { batch throws(CareError) in
                for content in batch.contents where isOrphan(content.digest, kind) {
                    try await settle(content, kind, &removed)
                }
            }
        }
        try await prune(&removed)
        do throws(IndexError) { _ = try await index.recount() } catch { throw CareError(error) }
        try await report(.removed(removed))
    }

    /// Whether a file is unknown to the index, and not only for the moment in which it lands.
    func isOrphan(_ digest: Digest, _ kind: ContentKind) -> Bool {
        guard index.storedObject(digest, kind) == nil, !isUnderWay(digest, kind) else { return false }
        return index.storedObject(digest, kind) == nil
    }

    private func settle(
        _ content: StoredContent,
        _ kind: ContentKind,
        _ removed: inout RemovedTotal
    ) async throws(CareError) {
        if let record = try await record(of: content, kind) {
            try await commit([record])
            removed.adopted += 1
            return
        }
        do throws(StoreError) {
            try await store.remove([content.digest], kind)
        } catch {
            throw CareError(error)
        }
        removed.orphans += 1
        removed.bytes += content.size
    }

    /// What an unknown file is to be recorded as: a manifest cost quota, and a blob is taken in that a manifest needs.
    private func record(of content: StoredContent, _ kind: ContentKind) async throws(CareError) -> IndexChange? {
        switch kind {
        case .manifest:
            guard let bytes = await intactManifest(content.digest) else { return nil }
            return .manifest(content.digest, bytes: bytes, references: Manifest(bytes)?.references ?? [])
        case .blob:
            guard reader.isReferenced(content.digest) else { return nil }
            do throws(StoreError) {
                let verdict = try await store.check(content.digest, kind, size: content.size, pace: nil)
                return verdict == .intact ? .blob(content.digest, size: content.size) : nil
            } catch {
                throw Task.isCancelled ? .stopped : CareError(error)
            }
        }
    }

    private func intactManifest(_ digest: Digest) async -> [UInt8]? {
        guard case .intact(let file) = try? await store.opened(digest, .manifest),
            file.size <= Manifest.maximumSize,
            let bytes = try? await store.contents(of: file), store.digest(of: bytes, digest.algorithm) == digest
        else { return nil }
        return bytes
    }

    private func prune(_ removed: inout RemovedTotal) async throws(CareError) {
        let limit = WallTime(milliseconds: time.wall().milliseconds - Self.memory.wholeMilliseconds)
        var cursor: IndexCursor?
        repeat {
            guard !Task.isCancelled else { throw .stopped }
            do throws(IndexError) {
                let page = try await index.prune(olderThan: limit, after: cursor, limit: 1000)
                removed.records += page.removed
                cursor = page.next
            } catch {
                throw CareError(error)
            }
        } while cursor != nil
    }
}
