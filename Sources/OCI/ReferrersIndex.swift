/// The document that answers a referrers request: an OCI image index whose entries are about one subject.
package struct ReferrersIndex: Hashable, Sendable {
    private var document: JSONValue

    /// An index without entries: what is answered where there are no referrers.
    package static let empty = ReferrersIndex(
        document: .object([
            "schemaVersion": .integer(2),
            "mediaType": .string(MediaType.ociIndex),
            "manifests": .array([]),
        ])
    )

    private init(document: JSONValue) {
        self.document = document
    }

    /// Reads an image index; `nil` for any other document.
    package init?(_ bytes: [UInt8]) {
        guard let document = JSONValue(bytes), document["manifests"]?.elements != nil else { return nil }
        if let type = document["mediaType"]?.text, type != MediaType.ociIndex { return nil }
        self.document = document
    }

    package var bytes: [UInt8] { document.bytes }

    private var entries: [JSONValue] { document["manifests"]?.elements ?? [] }

    private func with(_ entries: [JSONValue]) -> ReferrersIndex {
        guard case .object(var members) = document else { return self }
        members["manifests"] = .array(entries)
        return ReferrersIndex(document: .object(members))
    }

    /// This page with the entries of the next one behind its own.
    package func appending(_ page: ReferrersIndex) -> ReferrersIndex {
        with(entries + page.entries)
    }

    /// Only the entries of one artifact type.
    package func filtered(byArtifactType type: String) -> ReferrersIndex {
        with(entries.filter { $0["artifactType"]?.text == type })
    }

    /// What the entries point to; those that point to nothing that can be asked for are left out.
    package var referrers: [Referrer] { entries.compactMap(Referrer.init) }
}

/// A manifest that is about another: a signature, a bill of materials, an attestation.
package struct Referrer: Hashable, Sendable {
    package var descriptor: Descriptor
    package var artifactType: String?

    package init(descriptor: Descriptor, artifactType: String?) {
        self.descriptor = descriptor
        self.artifactType = artifactType
    }

    fileprivate init?(_ entry: JSONValue) {
        guard let digest = entry["digest"]?.text, let digest = try? Digest(digest) else { return nil }
        let size = if case .integer(let size) = entry["size"], size >= 0 { Int(size) } else { 0 }
        descriptor = Descriptor(mediaType: entry["mediaType"]?.text, digest: digest, size: size)
        artifactType = entry["artifactType"]?.text
    }
}
