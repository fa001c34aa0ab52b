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
        if try await hasPin(name) { throw .pinned("\(name)") }
        var removed = RemovedTotal()
        switch name.reference {
        case .tag(let tag):
            guard let record = index.tag(tag, in: name.repository) else { throw .unknown("\(name)") }
            try await commit([.tagRemoved(tag, in: name.repository)])
            removed.records += 1
            for digest in [record.digest] + (record.held.map { [$0.digest] } ?? [])
            where try await !isTagged(digest, in: name.repository) {
                try await withdraw(digest, from: name.repository, &removed)
            }
        case .digest(let digest):
            guard index.membership(of: digest, as: .manifest, in: name.repository) != nil else {
                throw .unknown("\(name)")
            }
            try await withdraw(digest, from: name.repository, &removed)
        }
        try await report(.removed(removed))
    }

    private func isTagged(_ digest: Digest, in repository: Repository) async throws(CareError) -> Bool {
        var isFound = false
        try await reader.eachTag(of: repository) { entry in
            if entry.record.digest == digest || entry.record.held?.digest == digest { isFound = true }
        }
        return isFound
    }

    /// Whether an image for one platform is also an image of its own.
    private func isTaggedAnywhere(_ digest: Digest) async throws(CareError) -> Bool {
        for repository in try await reader.repositories(having: digest, .manifest)
        where try await isTagged(digest, in: repository) {
            return true
        }
        return false
    }

    /// Takes a manifest from a repository, and out of the store when no other repository has it.
    private func withdraw(
        _ digest: Digest,
        from repository: Repository,
        _ removed: inout RemovedTotal
    ) async throws(CareError) {
        try await commit([.membershipRemoved(digest, .manifest, in: repository)])
        guard try await reader.repositories(having: digest, .manifest).isEmpty else { return }
        try await drop(digest, &removed)
    }

    /// Removes a stored manifest that nothing needs, and what only it needed.
    private func drop(_ digest: Digest, _ removed: inout RemovedTotal) async throws(CareError) {
        guard let object = index.storedObject(digest, .manifest), !reader.isReferenced(digest), !index.isPinned(digest)
        else { return }
        let manifest = await reader.manifest(digest)
        try await evict([object], &removed)
        for child in manifest?.manifests ?? [] where try await !isTaggedAnywhere(child.digest) {
            try await drop(child.digest, &removed)
        }
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
    /// Manifests stay, and so do manifest files that are not recorded: those cost quota, and are taken in.
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
        for kind in ContentKind.allCases {
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
        if kind == .manifest, let bytes = await intactManifest(content.digest) {
            let references = Manifest(bytes)?.references ?? []
            try await commit([.manifest(content.digest, bytes: bytes, references: references)])
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
