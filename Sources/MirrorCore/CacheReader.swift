import OCI

/// Reads the index and the store for those who look after them, whole walks at a time.
struct CacheReader: Sendable {
    let index: any CacheInventory
    let store: any BlobStore

    private static let pageSize = 200

    /// A stored manifest; `nil` when it is not stored, cannot be read, or is none.
    func manifest(_ digest: Digest) async -> Manifest? {
        await manifestBytes(digest).flatMap { Manifest($0) }
    }

    /// Whether the index's own copy of a manifest is not what it should be.
    func hasDamagedCopy(of digest: Digest) -> Bool {
        guard let bytes = indexedManifest(digest) else { return false }
        return store.digest(of: bytes, digest.algorithm) != digest
    }

    private func manifestBytes(_ digest: Digest) async -> [UInt8]? {
        guard index.storedObject(digest, .manifest) != nil else { return nil }
        if let bytes = indexedManifest(digest) { return bytes }
        guard case .intact(let file) = try? await store.opened(digest, .manifest),
            file.size <= Manifest.maximumSize
        else { return nil }
        return try? await store.contents(of: file)
    }

    /// The bytes of a stored manifest, where the index itself keeps them.
    func indexedManifest(_ digest: Digest) -> [UInt8]? {
        let found: [UInt8]?? = index.withManifest(digest) { _, bytes in
            guard let bytes else { return nil }
            return Array(copying: bytes)
        }
        return found ?? nil
    }

    /// Whether some stored manifest names this content.
    func isReferenced(_ digest: Digest) -> Bool {
        isReferenced(digest) { _ in true }
    }

    private func isReferenced(_ digest: Digest, byAny isMeant: (Digest) -> Bool) -> Bool {
        var cursor: IndexCursor?
        repeat {
            let page = index.parents(of: digest, after: cursor, limit: Self.pageSize)
            for parent in page.elements where parent != digest && isMeant(parent) {
                if index.storedObject(parent, .manifest) != nil { return true }
            }
            cursor = page.next
        } while cursor != nil
        return false
    }

    /// Whether some stored manifest that a repository is proved to have names this content.
    func isReferenced(_ digest: Digest, in repository: Repository) -> Bool {
        isReferenced(digest) { index.membership(of: $0, as: .manifest, in: repository) != nil }
    }

    /// The repositories that are known to have some content: by proof, or because a manifest of theirs names it.
    func repositories(having digest: Digest, _ kind: ContentKind) async throws(CareError) -> [Repository] {
        var found: [Repository] = []
        try await eachRepository { repository in
            let isMember = index.membership(of: digest, as: kind, in: repository) != nil
            if isMember || index.claimedSize(of: digest, in: repository) != nil { found.append(repository) }
        }
        return found
    }

    // MARK: - Walks

    func eachRepository(_ body: (Repository) async throws(CareError) -> Void) async throws(CareError) {
        try await each {
            index.repositories(after: $0, limit: Self.pageSize)
        } do: { repository throws(CareError) in
            try await body(repository)
        }
    }

    func eachTag(
        of repository: Repository,
        _ body: (TagEntry) async throws(CareError) -> Void
    ) async throws(CareError) {
        try await each {
            index.tags(of: repository, after: $0, limit: Self.pageSize)
        } do: { entry throws(CareError) in
            try await body(entry)
        }
    }

    func eachMember(
        of repository: Repository,
        _ body: (MemberEntry) async throws(CareError) -> Void
    ) async throws(CareError) {
        try await each {
            index.members(of: repository, after: $0, limit: Self.pageSize)
        } do: { member throws(CareError) in
            try await body(member)
        }
    }

    func eachPin(_ body: (Pin) async throws(CareError) -> Void) async throws(CareError) {
        try await each {
            index.pins(after: $0, limit: Self.pageSize)
        } do: { pin throws(CareError) in
            try await body(pin)
        }
    }

    /// All stored objects of a kind; `afterPage` is told where the next page begins.
    func eachObject(
        of kind: ContentKind,
        after cursor: IndexCursor? = nil,
        pageSize: Int = Self.pageSize,
        _ body: (StoredObject) async throws(CareError) -> Void,
        afterPage: (IndexCursor) -> Void = { _ in }
    ) async throws(CareError) {
        try await each(
            from: cursor,
            { index.storedObjects(of: kind, after: $0, limit: pageSize) },
            do: { object throws(CareError) in try await body(object) },
            afterPage: afterPage
        )
    }

    /// All files of a kind, and the names that are nobody's.
    func eachBatch(
        of kind: ContentKind,
        _ body: (StoredBatch) async throws(CareError) -> Void
    ) async throws(CareError) {
        var position: WalkPosition? = .start
        while let current = position {
            guard !Task.isCancelled else { throw .stopped }
            let batch: StoredBatch
            do throws(StoreError) {
                batch = try await store.stored(kind, from: current)
            } catch {
                throw CareError(error)
            }
            try await body(batch)
            position = batch.next
        }
    }

    private func each<Element: Sendable>(
        from start: IndexCursor? = nil,
        _ page: (IndexCursor?) -> IndexPage<Element>,
        do body: (Element) async throws(CareError) -> Void,
        afterPage: (IndexCursor) -> Void = { _ in }
    ) async throws(CareError) {
        var cursor = start
        repeat {
            let page = page(cursor)
            for element in page.elements {
                guard !Task.isCancelled else { throw .stopped }
                try await body(element)
            }
            cursor = page.next
            if let cursor { afterPage(cursor) }
            // A walk is background work: others have their turn after each page.
            await Task.yield()
        } while cursor != nil
    }
}
