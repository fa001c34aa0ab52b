import FoundationEssentials

/// A reference from one document to content: `{"mediaType": …, "digest": …, "size": …}`.
package struct Descriptor: Hashable, Sendable {
    package var mediaType: String?
    package var digest: Digest
    package var size: Int
    /// For a manifest that an index lists, where the index says it.
    package var platform: Platform?

    package init(mediaType: String?, digest: Digest, size: Int, platform: Platform? = nil) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.platform = platform
    }
}

/// What a mirror reads in a manifest: its type, and what it points to.
///
/// Covers image manifests, indexes, Docker's schema 2 and lists, and artifact manifests. The document itself is kept and
/// served byte for byte; this is a view of it, and unknown fields are nobody's business here.
package struct Manifest: Hashable, Sendable {
    /// Manifests above this are refused: the smallest limit among the clients (podman, oras) is 4 MiB.
    package static let maximumSize = 4 << 20

    /// The document's own `mediaType`, where it has one (it is optional in OCI image manifests).
    package var mediaType: String?
    /// Manifests that an index lists.
    package var manifests: [Descriptor]
    /// Configuration, layers and blobs.
    package var blobs: [Descriptor]
    /// The manifest this one is about, for a referrer.
    package var subject: Descriptor?

    /// Reads a document; returns `nil` when it is not a JSON object of a manifest's shape.
    ///
    /// Entries with a digest of an unregistered algorithm are left out: nothing can be asked for by it here.
    package init?(_ document: [UInt8]) {
        guard let parsed = try? JSONDecoder().decode(Document.self, from: Data(document)) else { return nil }
        mediaType = parsed.mediaType
        manifests = parsed.manifests?.compactMap(\.value) ?? []
        blobs = ([parsed.config].compactMap(\.self) + (parsed.layers ?? []) + (parsed.blobs ?? [])).compactMap(\.value)
        subject = parsed.subject?.value
    }

    /// Everything the document points to.
    package var references: [Descriptor] { manifests + blobs }

    private struct Document: Decodable {
        var mediaType: String?
        var manifests: [Entry]?
        var config: Entry?
        var layers: [Entry]?
        var blobs: [Entry]?
        var subject: Entry?
    }

    private struct Entry: Decodable {
        var mediaType: String?
        var digest: String?
        var size: Int?
        var platform: PlatformEntry?

        /// No blob is larger than a pebibyte; what claims to be only makes sums overflow.
        private static let largestSize = 1 << 50

        var value: Descriptor? {
            guard let digest, let digest = try? Digest(digest), let size, (0...Self.largestSize).contains(size) else {
                return nil
            }
            return Descriptor(mediaType: mediaType, digest: digest, size: size, platform: platform?.value)
        }
    }

    private struct PlatformEntry: Decodable {
        private var os: String?
        private var architecture: String?
        private var variant: String?

        private enum CodingKeys: String, CodingKey {
            case os, architecture, variant
        }

        /// Never fails: a platform that cannot be read is nobody's reason to refuse the document.
        init(from decoder: any Decoder) {
            guard let container = try? decoder.container(keyedBy: CodingKeys.self) else { return }
            os = try? container.decode(String.self, forKey: .os)
            architecture = try? container.decode(String.self, forKey: .architecture)
            variant = try? container.decode(String.self, forKey: .variant)
        }

        /// Only of plain characters: it is printed to terminals.
        var value: Platform? {
            guard let os, let architecture, [os, architecture, variant ?? ""].allSatisfy(Self.isPlain) else {
                return nil
            }
            return Platform(os: os, architecture: architecture, variant: variant)
        }

        private static func isPlain(_ text: String) -> Bool {
            text.utf8.count <= 64 && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        }
    }
}
