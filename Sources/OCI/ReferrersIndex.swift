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
}
