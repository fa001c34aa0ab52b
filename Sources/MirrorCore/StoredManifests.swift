import Logging
import OCI

/// A manifest out of the store.
struct StoredManifest: Sendable {
    var content: ManifestAnswer.Content
    var size: Int

    func answer(_ digest: Digest, _ mediaType: String, _ outcome: CacheOutcome) -> ManifestAnswer {
        let head = ManifestHead(digest: digest, mediaType: mediaType, size: size, outcome: outcome)
        return ManifestAnswer(head: head, content: content)
    }
}

/// Manifests that are held: in the map when they are small, else in their files.
extension PullThrough {
    /// A stored manifest, out of the map; `nil` when it is to be fetched.
    func stored(_ digest: Digest, _ inquiry: Inquiry) async throws(MirrorError) -> StoredManifest? {
        let found: (size: Int, bytes: [UInt8]?)? = index.withManifest(digest) { size, bytes in
            guard let bytes else { return (size, nil) }
            return (size, Array(copying: bytes))
        }
        guard let (size, bytes) = found else { return nil }
        index.touch(digest, as: .manifest)
        if let bytes { return StoredManifest(content: .bytes(bytes), size: size) }
        if let file = soundFile(digest, .manifest, size: size) {
            return StoredManifest(content: .file(file), size: size)
        }
        let file = try await examined(digest, .manifest, for: inquiry.caller, until: inquiry.deadline)
        return file.map { StoredManifest(content: .file($0), size: $0.size) }
    }

    func storedSize(of digest: Digest) -> Int? {
        index.withManifest(digest) { size, _ in size }
    }

    /// What to call a manifest that a HEAD has described: the stored document decides, if there is one.
    func storedMediaType(of digest: Digest, told: String?) -> String {
        let own: String?? = index.withManifest(digest) { _, bytes in
            guard let bytes else { return nil }
            return ManifestType.name(of: Array(copying: bytes), told: told)
        }
        if let own = own ?? nil { return own }
        return told.flatMap { ManifestType.isMediaType($0) ? $0 : nil } ?? MediaType.ociManifest
    }

    /// Writes a verified manifest; returns what the index is to be told.
    func store(_ bytes: [UInt8], as digest: Digest) async -> [IndexChange] {
        do {
            await context.keeper.whenGone(digest)
            try await context.store.store(bytes, as: digest, .manifest)
            return [.manifest(digest, bytes: bytes, references: Manifest(bytes)?.references ?? [])]
        } catch {
            context.logger.error(
                "manifest could not be stored",
                metadata: ["digest": "\(digest)", "error": "\(error)"]
            )
            return []
        }
    }
}

extension [UInt8] {
    /// The bytes, out of memory that is only lent.
    init(copying span: Span<UInt8>) {
        self = []
        reserveCapacity(span.count)
        for index in span.indices { append(span[index]) }
    }
}
