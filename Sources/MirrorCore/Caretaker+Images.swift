import OCI

/// Lists and single images.
extension Caretaker {
    func list(incompleteOnly: Bool, _ report: CareObserver) async throws(CareError) {
        var total = ListTotal()
        try await reader.eachRepository { repository throws(CareError) in
            try await eachImage(of: repository) { image throws(CareError) in
                var holding = await holding(of: image.name, image.record)
                if !holding.survival.isPullable { total.incomplete += 1 }
                total.images += 1
                guard !incompleteOnly || !holding.survival.isPullable else { return }
                holding.platforms = nil
                try await report(.image(holding))
            }
        }
        let stored = index.totals()
        total.size = stored.blobBytes + stored.manifestBytes
        try await report(.total(total))
    }

    private struct NamedImage {
        var name: ImageName
        var record: TagRecord?
    }

    /// The tags of a repository, and then what was pulled by digest alone and is held.
    private func eachImage(
        of repository: Repository,
        _ body: (NamedImage) async throws(CareError) -> Void
    ) async throws(CareError) {
        var tagged: Set<Digest> = []
        try await reader.eachTag(of: repository) { entry throws(CareError) in
            tagged.insert(entry.record.digest)
            if let held = entry.record.held { tagged.insert(held.digest) }
            try await body(NamedImage(name: ImageName(.tag(entry.tag), in: repository), record: entry.record))
        }
        try await reader.eachMember(of: repository) { member throws(CareError) in
            guard member.kind == .manifest, !tagged.contains(member.digest),
                index.storedObject(member.digest, .manifest) != nil, !reader.isReferenced(member.digest)
            else { return }
            try await body(NamedImage(name: ImageName(.digest(member.digest), in: repository)))
        }
    }

    func show(_ name: ImageName, _ report: CareObserver) async throws(CareError) {
        let holding = await holding(of: name)
        guard !holding.digest.isEmpty, holding.survival != .absent || isKnown(name) else {
            throw .unknown("\(name)")
        }
        try await report(.held(holding))
    }

    func holding(of name: ImageName) async -> ImageHolding {
        await holding(of: name, record(of: name))
    }

    private func holding(of name: ImageName, _ record: TagRecord?) async -> ImageHolding {
        var holding = await ImageSurvey.holding(of: name, record, reader)
        if holding.survival.isPullable, !isServed(name, record) { holding.survival = .unserved }
        return holding
    }

    /// Whether the mirror would answer for it while its upstream is away.
    private func isServed(_ name: ImageName, _ record: TagRecord?) -> Bool {
        guard mirror.context.upstreams[name.repository.upstream] != nil else { return false }
        guard case .tag(let tag) = name.reference, let record else { return true }
        let policy = mirror.policy(of: name.repository)
        return mirror.servable(record, tag, in: name.repository, policy) != nil
    }

    func record(of name: ImageName) -> TagRecord? {
        guard case .tag(let tag) = name.reference else { return nil }
        return index.tag(tag, in: name.repository)
    }

    /// Whether the index has heard of it, stored or not.
    private func isKnown(_ name: ImageName) -> Bool {
        switch name.reference {
        case .tag(let tag): index.tag(tag, in: name.repository) != nil
        case .digest(let digest): index.membership(of: digest, as: .manifest, in: name.repository) != nil
        }
    }
}
